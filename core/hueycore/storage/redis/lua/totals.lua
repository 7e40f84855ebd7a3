#!lua flags=no-writes,allow-oom
--#include metrics
-- The figures of each task for ever. Nothing is written.
local flat = call('HGETALL', P .. 'total')
for i = 1, #flat, 2 do
  local total = line_of('total', flat[i])
  complete_total(flat[i], total)
  flat[i + 1] = cmsgpack.pack(total)
end
return flat
