--#include logevent
-- Note what became of a worker process, where events are recorded (sql/workerlog.py).
local function log_worker(signal, about, jobs)
  if about.kind == 'holder' or call('HGET', P .. 'queue', 'events') ~= '1' then return end
  local where = about.kind .. ', process ' .. string.format('%d', about.pid) .. ' on ' .. about.host
  local fields = {'signal', signal, 'worker', about.name, 'reason', where}
  if jobs then fields[7], fields[8] = 'jobs', jobs end
  log_event(fields)
end
