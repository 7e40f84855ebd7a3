#!lua flags=allow-oom
--#include leaving workerlog
-- The worker is gone; what it still held is pending again, uncounted, or revoked if it was asked to
-- stop. arg: worker.
local about = call('HGET', P .. 'worker', arg.worker)
if not about then return 0 end
local stopped = {}
for _, row in ipairs(running_of(arg.worker)) do
  local asked = row[CANCEL_REQUESTED]
  leave(row)
  touch(row)
  row[ATTEMPT] = row[ATTEMPT] - 1
  if asked == STOP or asked == INTERRUPT then
    row[STATE], row[REASON], row[FINISHED_AT] = 'revoked', 'revoked', now
    stopped[#stopped + 1] = row
  else
    row[STATE] = rest(0, row[KEY_NAME])
    give_way_back(row)
  end
  save(row)
end
follow(stopped, false)
forget_worker(arg.worker)
settle_touched()
log_worker('worker-stopped', cjson.decode(about))
ring()
return 1
