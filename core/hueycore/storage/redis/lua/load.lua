#!lua
--#include births endings queue sign
-- Bring jobs in (transfer.py). arg: cargo, lists of row, errors, progress, whether it has a result,
-- inputs; if_exists, pending, operator. For each a payload, a result, and the results of its inputs.
describe_queue()
local answer, loaded, place = {}, {}, 2

local function is_doubled(row)
  if not row[UNIQUE_UNTIL] then return false end
  local seq = holder(row[TASK], row[UNIQUE_KEY])
  return seq and get(seq)[ID] ~= row[ID]
end

local function load_one(one, payload, result, given)
  local row, old = setmetatable(one[1], usual), job_of(one[1][ID])
  if old and (arg.if_exists ~= 'replace' or old[STATE] == 'running' or needed(old)) then
    return {old[SEQ], 'exists'}
  end
  local was_taken = row[TAKEN]
  if arg.pending or row[STATE] == 'running' or row[STATE] == 'blocked' then
    row[STATE], row[RUN_AT], row[FINISHED_AT], row[REASON] = 'pending', now, false, false
    if arg.pending then row[CRASHES] = 0 end
    if row[EXPIRES_IN] then row[EXPIRES_AT] = now + row[EXPIRES_IN]
    elseif row[EXPIRES_AT] and row[EXPIRES_AT] <= now then row[EXPIRES_AT] = false end
  end
  if #given < row[INPUTS] and not (FINAL[row[STATE]]) then
    row[STATE], row[REASON], row[FINISHED_AT] = 'revoked', 'upstream', now
  end
  if row[STATE] == 'pending' then row[STATE] = rest(0, row[KEY_NAME]) end
  local final = FINAL[row[STATE]]
  if not final and is_doubled(row) then return {0, 'duplicate'} end
  if old then
    touch(old)
    remove(old)
  end
  local unread = final and result and was_taken ~= 1
  row[TAKEN] = unread and 0 or (final and was_taken == 1 and 1) or false
  row[SEQ] = (tonumber(read('queue', 'seq') or nil) or 0) + 1
  set('queue', 'seq', row[SEQ])
  set('id', row[ID], row[SEQ])
  set('payload', row[SEQ], payload)
  if one[2] then set('error', row[SEQ], one[2]) end
  if one[3] then set('said', row[SEQ], one[3]) end
  if unread then set('result', row[SEQ], result) end
  keep_inputs(row, given)
  stood[row[SEQ]] = row[STATE]
  save(row)
  touch(row)
  loaded[#loaded + 1] = row
  return {row[SEQ], 'loaded'}
end

for i, one in ipairs(arg.cargo) do
  local payload, result, given = ARGV[place + 1], one[4] and ARGV[place + 2] or nil, one[5]
  for k, input in ipairs(given) do
    if input[5] then input[5] = ARGV[place + 2 + k] end
  end
  place = place + 2 + #given
  answer[i] = load_one(one, payload, result, given)
end
settle_touched()
sign('load', loaded)
ring()
return answer
