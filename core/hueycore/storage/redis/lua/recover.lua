#!lua flags=allow-oom
--#include leaving workerlog
-- Take back everything that a dead worker held (recovery.py). arg: worker, its beat when it was found
-- dead: only one janitor wins it, and none wins one that has beaten since.
local worker, began = arg.worker, {}
if call('HGET', P .. 'worker', worker .. ' beat') ~= arg.beat then return false end
local about = cjson.decode(call('HGET', P .. 'worker', worker))
local told = call('HGET', P .. 'worker', worker .. ' runs')
for _, run in ipairs(told and cjson.decode(told) or {}) do began[run[2]] = run[3] end
local stopping, recovered = about.state == 'stopping', {}
local process = 'process ' .. string.format('%d', about.pid)

local function take_back(row, started)
  local asked = row[CANCEL_REQUESTED]
  local interrupted = asked == INTERRUPT  -- its process was killed because it had to be
  local crashed = started and not stopping and not interrupted
  if crashed then row[CRASHES] = row[CRASHES] + 1 end
  local reason
  local state = rest(0, row[KEY_NAME])
  if started and not interrupted and (row[AT_MOST_ONCE] == 1 or row[CRASHES] >= row[MAX_CRASHES]) then
    state, reason = 'dead', stopping and 'interrupted' or 'crashed'
  elseif asked == STOP or interrupted then state, reason = 'revoked', 'revoked' end
  if started and not interrupted then
    local what = stopping and 'was stopped' or 'died'
    local text = 'worker ' .. about.name .. ' (' .. process .. ') ' .. what .. ' while it ran this job'
    -- A run that a stop has cut off is no failure of the job.
    local entry = rare().failure(row, stopping and 'Interrupted' or 'Crashed', text, about.name, 0, crashed or state == 'dead')
    local why = rare().unreadable(row)
    if why then state, reason = 'dead', unwritable(row, {0, 0, 0, 0}, {kind = 'recovered'}, why).reason
    else rare().add_error(row, entry) end
  end
  if not started then row[ATTEMPT] = row[ATTEMPT] - 1 end
  leave(row)
  row[STATE], row[REASON] = state, reason or row[REASON]
  if reason then row[FINISHED_AT] = now else give_way_back(row) end
  save(row)
  if reason then follow({row}, false) end
  if state == 'dead' then
    local _, why = rare().handler_of(row)
    if why then
      row[REASON] = unwritable(row, {0, 0, 0, 0}, {kind = 'dead'}, why).reason
      save(row)
    else rare().call_handler(row) end
  end
end

-- The worker was killed because this run went on after its timeout: no crash.
local function end_overdue(row)
  local started, run_s = row[CLAIMED_AT], now - row[CLAIMED_AT]
  local text = process .. ' was killed: the job went on after its timeout, ' .. tostring(row[TIMEOUT]) .. ' s'
  local ending = {kind = 'dead', reason = 'timeout', fault = rare().failure(row, 'TaskTimeout', text, about.name, run_s, true)}
  if row[RETRIES] > 0 and row[AT_MOST_ONCE] == 0 then
    local delay, backoff = row[RETRY_DELAY], row[RETRY_BACKOFF]
    ending.kind, ending.reason = 'retry', nil
    ending.run_at = delay > 0 and now + delay or nil
    ending.retries, ending.delay = row[RETRIES] - 1, delay
    ending.retry_delay = backoff > 0 and delay * backoff or delay
  end
  ended{row[SEQ], row[CLAIM], started, run_s, bucket(run_s), bucket(started - row[RUN_AT]), ending}
end

for _, row in ipairs(running_of(worker)) do
  touch(row)
  -- What is written down has begun. So has what was claimed alone. Of the rest nobody knows: they
  -- are suspects now.
  -- Whoever was killed because its time was over had begun as well.
  local started = began[row[SEQ]] == row[CLAIM] or row[AT_MOST_ONCE] == 1 or row[SUSPECT] == 1
    or row[CRASHES] > 0 or row[CANCEL_REQUESTED] == OVERDUE
  if not started then row[SUSPECT] = 1 end
  local overdue = started and row[CANCEL_REQUESTED] == OVERDUE
  if overdue then end_overdue(row) else take_back(row, started) end
  recovered[#recovered + 1] = {row[SEQ], row[ID], row[TASK], row[STATE], started and 1 or 0, overdue and 1 or 0, row}
end
go_on()
write_tallies()
forget_worker(worker)
settle_touched()
log_worker('worker-died', about, #recovered)
ring()
for _, one in ipairs(recovered) do one[7] = nil end
return recovered
