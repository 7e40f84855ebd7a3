#!lua flags=allow-oom
--#include rows
-- arg: worker, about (JSON text).
if call('HEXISTS', P .. 'worker', arg.worker) == 1 then
  set('worker', arg.worker, arg.about)
  flush()
end
return 1
