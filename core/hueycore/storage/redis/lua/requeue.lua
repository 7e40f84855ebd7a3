#!lua
--#include endings sign
-- arg: seqs, run_at, retries, reset, apart, later (how many came before), reason, operator. Answers the numbers changed, and pairs
-- of number and why not.
local final, failed, changed_seqs, taken = {}, {}, {}, {}

-- Stages that could never start: what they need was purged.
local function orphaned(row)
  if row[INPUTS] == 0 then return nil end
  local coming, there = 0, 0
  for _, parent in ipairs(parents_of(row)) do
    local gone = call('HEXISTS', P .. 'result', parent[SEQ]) == 0
      and ((parent[STATE] == 'done' and parent[TAKEN] == 1)
        or (not FINAL[parent[STATE]] and parent[DELIVERED] == 1))
    if parent[DELIVERED] == 0 then coming = coming + 1 elseif not gone then there = there + 1 end
  end
  local given = call('HGET', P .. 'input', row[SEQ])
  if given then there = there + #cmsgpack.unpack(given) end
  if row[WAITS] - (row[BATCH] and 1 or 0) > coming then return 'the stage it waits for was purged' end
  if coming + there < row[INPUTS] then return 'a result that it needs was purged' end
end

-- Another job has its key by now, or one before it in the list will.
local function doubled(row)
  if not row[UNIQUE_UNTIL] then return nil end
  local name = row[TASK] .. '\0' .. row[UNIQUE_KEY]
  local live = holder(row[TASK], row[UNIQUE_KEY])
  local other = live and get(live)[ID] or taken[name]
  if not other then taken[name] = row[ID] return nil end
  if other ~= row[ID] then
    return 'duplicate: job ' .. other .. ' has its unique key "' .. row[UNIQUE_KEY] .. '"'
  end
end

fetch(arg.seqs)
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  if row and not FINAL[row[STATE]] then failed[#failed + 1] = {seq, 'still ' .. row[STATE]}
  elseif row then
    local why = orphaned(row) or doubled(row)
    if why then failed[#failed + 1] = {seq, why} else final[#final + 1] = row end
  end
end
for _, row in ipairs(final) do
  if arg.reset then
    local last = row[REASON] ~= 'crashed' and 1 or 0
    row[RETRIES] = row[RETRIES] + math.max(0, row[ATTEMPT] - row[CRASHES] - last)
    row[ATTEMPT] = 0
  end
  local at = arg.run_at or row[RUN_AT]
  row[RUN_AT] = math.max(at, now)
  if row[WAITS] > 0 then row[STATE] = 'blocked'
  else
    row[STATE], row[DELAY] = rest(at, row[KEY_NAME]), 0
  end
  if row[WAITS] == 0 and row[EXPIRES_IN] then row[EXPIRES_AT] = row[RUN_AT] + row[EXPIRES_IN]
  elseif row[EXPIRES_AT] and row[EXPIRES_AT] <= now then row[EXPIRES_AT] = false end
  row[RETRIES] = arg.retries or row[RETRIES]
  row[REASON], row[FINISHED_AT], row[TAKEN] = arg.reason or false, false, false
  row[CRASHES], row[SUSPECT] = 0, 0
  del('ticket', row[SEQ])
  save(row)
  touch(row)
end
revive({unpack(final)})
-- Now that they all wait again: what one of them needs of another stays.
for place, row in ipairs(final) do
  changed_seqs[place] = row[SEQ]
  if not needed(row) then del('result', row[SEQ]) end
  local later = (arg.later + place - 1) * (arg.apart or 0)
  if later > 0 then
    row[RUN_AT] = row[RUN_AT] + later
    if row[EXPIRES_IN] and row[EXPIRES_AT] then row[EXPIRES_AT] = row[EXPIRES_AT] + later end
    if row[STATE] == 'pending' or (row[STATE] == 'blocked' and row[WAITS] == 0) then row[STATE] = 'scheduled' end
    save(row)
  end
end
settle_touched()
sign('requeue', final)
ring()
return {changed_seqs, failed}
