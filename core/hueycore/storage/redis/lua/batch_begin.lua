#!lua
--#include queue batch
-- arg: jobs (how many), most (pending jobs), whose, serializer. Answers the number of the batch, and that
-- of its first job.
if arg.most then
  local waiting = call('ZCARD', P .. 'pending') + call('ZCARD', P .. 'batch')
  if waiting + arg.jobs > arg.most then return redis.error_reply('HUEY FULL ' .. waiting) end
end
describe_queue()
local number = (tonumber(read('queue', 'batches') or nil) or 0) + 1
local last = tonumber(read('queue', 'seq') or nil) or 0
set('queue', 'batches', number)
set('queue', 'seq', last + arg.jobs)
arg.whose.portions, arg.whose.state = 0, 'coming'
save_batch(number, arg.whose)
flush()
call('HSETNX', P .. 'arrival', math.floor(now / 60), last + 1)
return {number, last + 1}
