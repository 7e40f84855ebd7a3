#!lua
--#include births batch
-- arg: batch, jobs (rows with their numbers and edges), handlers (pairs of number and text); a payload
-- per job.
local batch, ids = batch_of(arg.batch), {}
if not batch or batch.state ~= 'coming' then return redis.error_reply('HUEY GONE') end
for i = 1, #arg.jobs do ids[i] = arg.jobs[i][ID] end
local seqs = many('HMGET', 'id', ids)
if tonumber(seqs[1] or nil) == arg.jobs[1][SEQ] then return 0 end  -- the answer was lost
for i = 1, #ids do
  if seqs[i] then return redis.error_reply('HUEY EXISTS ' .. ids[i]) end
end
for i, job in ipairs(arg.jobs) do
  setmetatable(job, usual)
  rawset(job, ON_CONFLICT, nil)
  begins(job)
  if job[WAITS] > 0 and job[EXPIRES_IN] then job[EXPIRES_AT] = false end
  job[STATE], job[ENQUEUED_AT] = 'blocked', now
  job[BATCH], job[WAITS] = arg.batch, job[WAITS] + 1
  set('id', job[ID], job[SEQ])
  set('payload', job[SEQ], ARGV[2 + i])
  save(job)
end
for _, pair in ipairs(arg.handlers) do set('handler', pair[1], pair[2]) end
batch.portions = batch.portions + 1
save_batch(arg.batch, batch)
flush()
return 1
