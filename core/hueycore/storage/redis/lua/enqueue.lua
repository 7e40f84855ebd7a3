#!lua
--#include births queue
-- arg: jobs (rows), plan, most (pending jobs), serializer; a payload per job.
if arg.most then
  local waiting = call('ZCARD', P .. 'pending')
  if waiting + #arg.jobs > arg.most then return redis.error_reply('HUEY FULL ' .. waiting) end
end
describe_queue()
local payloads = {}
for i = 1, #arg.jobs do payloads[i] = ARGV[2 + i] end
local answer = insert_jobs(arg.jobs, payloads)
if answer and arg.plan then answer = join(answer, arg.plan) end
if not answer then return redis.error_reply(refusal) end
count_arrivals(answer)
settle_touched()
ring()
return described(answer)
