--#include logevent
-- The event log: what became of the rows (events.sql says the same in triggers).
local SIGNAL = {timeout = true, locked = true, ['rate-limited'] = true}
local FAILED = {error = true, retrying = true, interrupted = true, canceled = true, timeout = true,
  locked = true, ['rate-limited'] = true}

local function signal_of(row, old)
  local state, reason = row[STATE], row[REASON]
  if not old then
    return FINAL[state] and 'loaded' or state == 'scheduled' and 'scheduled' or 'enqueued'
  end
  if state == 'running' then return 'claimed' end
  if state == 'done' then return 'complete' end
  if state == 'dead' then return SIGNAL[reason] and reason or 'error' end
  if state == 'revoked' then return reason == 'canceled' and reason or state end
  if state == 'expired' or state == 'blocked' then return state end
  if old[1] ~= 'running' then return state == 'scheduled' and state or 'enqueued' end
  if row[RUN_AT] ~= old[2] then return 'retrying' end
  return row[ATTEMPT] < old[3] and 'released' or 'interrupted'
end

-- What became of a row since it was written last (events.sql says the same in triggers).
local function record(row)
  if row[BATCH] then return end
  local old = before[row[SEQ]]
  if old and old[1] == row[STATE] then return end
  local signal = signal_of(row, old)
  local fields = {'signal', signal, 'seq', row[SEQ], 'id', row[ID], 'task', row[TASK]}
  local function note(name, value)
    if value then fields[#fields + 1], fields[#fields + 2] = name, value end
  end
  note('worker', name_of(row[STATE] == 'running' and row[WORKER] or (old and old[4])))
  if signal == 'complete' then
    note('run_s', string.format('%.6f', row[FINISHED_AT] - row[STARTED_AT]))
  elseif signal ~= 'claimed' then
    local fault = old and FAILED[signal] and faults[row[SEQ]]
    if fault and fault.attempt == old[3] then
      note('run_s', fault.run_s)
      note('error', fault.text)
    end
    note('reason', row[REASON])
  end
  log_event(fields)
end
