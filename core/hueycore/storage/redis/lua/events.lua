#!lua
--#include queue sign
-- Record what becomes of the jobs, or no more. arg: on, operator. 0: that was so already.
describe_queue()
if recording == arg.on then return 0 end
set('queue', 'events', arg.on and '1' or '0')
flush()
sign(arg.on and 'events-on' or 'events-off')
return 1
