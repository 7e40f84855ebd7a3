--#include rows
-- A call's jobs that are more than one script takes (batches.py). They come in portions, blocked; 'batches'
-- says of each such batch whose it is, how many portions there are, and its state: coming, in, gone.
local function batch_of(number)
  local text = read('batches', number)
  return text and cjson.decode(text)
end

local function save_batch(number, batch) set('batches', number, batch and cjson.encode(batch)) end

-- The next of its jobs that are held, in the order of their numbers.
local function held_by_batch(number)
  local seqs = numbers(call('ZRANGEBYSCORE', P .. 'batch', number, number, 'LIMIT', 0, PORTION))
  fetch(seqs)
  return seqs
end
