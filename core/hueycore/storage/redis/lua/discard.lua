#!lua flags=allow-oom
--#include keys follow sign
-- Delete jobs that are still as they were seen (transfer.py). arg: jobs, lists of seq, state, and
-- pairs of column and value; waiting, reason, operator. Answers the numbers deleted.
local CLOSE = 2e-6
local gone, list, seqs = {}, {}, {}

-- One that waits may have come nearer to its turn.
local function same(row, state, pairs_)
  if row[STATE] ~= state and not (WAITING[state] and WAITING[row[STATE]]) then return false end
  for _, pair in ipairs(pairs_) do
    local mine, seen = row[pair[1] + 1], pair[2]
    local close = type(mine) == 'number' and type(seen) == 'number' and math.abs(mine - seen) < CLOSE
    if mine ~= seen and not close then return false end
  end
  return true
end

local function in_need(row)
  return not FINAL[row[STATE]] or (row[STATE] ~= 'done' and row[WAITS] == 0)
end

for i, one in ipairs(arg.jobs) do seqs[i] = one[1] end
fetch(seqs)
for _, one in ipairs(arg.jobs) do
  local row = get(one[1])
  if row and same(row, one[2], one[3]) then
    if arg.waiting and row[STATE] ~= 'running' or FINAL[row[STATE]] and not needed(row) then
      gone[row[SEQ]] = row
      list[#list + 1] = row
    end
  end
end

-- Leave out what hangs together with a live job that stays, and what a job that stays needs.
local function around(row)
  local found = children_of(row)
  for _, parent in ipairs(parents_of(row)) do found[#found + 1] = parent end
  return found
end

if arg.waiting then
  local outside, stay = {}, {}
  for _, row in ipairs(list) do
    for _, other in ipairs(around(row)) do
      local seq = other[SEQ]
      if not gone[seq] and outside[seq] == nil and in_need(other) then
        outside[seq] = not FINAL[other[STATE]]
        if outside[seq] then stay[#stay + 1] = other end
      end
    end
  end
  while #stay > 0 do
    for _, other in ipairs(around(table.remove(stay))) do
      local seq = other[SEQ]
      if gone[seq] and not FINAL[other[STATE]] then
        gone[seq], outside[seq] = nil, true
        stay[#stay + 1] = other
      end
    end
  end
  for _, row in ipairs(list) do
    if gone[row[SEQ]] then
      for _, child in ipairs(children_of(row)) do
        if outside[child[SEQ]] ~= nil then gone[row[SEQ]] = nil end
      end
    end
  end
end

seqs = {}
for _, row in ipairs(list) do
  if gone[row[SEQ]] then
    seqs[#seqs + 1] = row[SEQ]
    if arg.waiting then touch(row) end
  end
end
for _, seq in ipairs(seqs) do remove(gone[seq]) end
settle_touched()
if #seqs > 0 then call('HINCRBY', P .. 'queue', 'purged', #seqs) end
sign('purge', #seqs)
return seqs
