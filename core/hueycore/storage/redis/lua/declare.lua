#!lua flags=allow-oom
--#include periodic
-- arg: schedules, worker, serializer; a payload per schedule.
describe_queue()
declare(arg.schedules, {unpack(ARGV, 3)}, arg.worker)
flush()
return 1
