#!lua
--#include periodic sign
-- Store a schedule by hand. arg: schedule; its payload. 0: the name is declared in code.
describe_queue()
local old = schedule_of(arg.schedule[NAME])
if old and old[ORIGIN] ~= 'stored' then return 0 end
arg.schedule[PAYLOAD] = ARGV[3]
store_schedule(arg.schedule, false)
flush()
sign('schedule', nil, arg.schedule[NAME])
ring()
return 1
