#!lua flags=allow-oom
--#include periodic workerlog
-- arg: about (JSON text), serializer, schedules; a payload per schedule. Answers the number.
describe_queue()
local number = call('HINCRBY', P .. 'queue', 'workers', 1)
set('worker', number, arg.about)
set('worker', number .. ' beat', 1)
if arg.schedules then declare(arg.schedules, {unpack(ARGV, 3)}, number) end
flush()
log_worker('worker-started', cjson.decode(arg.about))
return number
