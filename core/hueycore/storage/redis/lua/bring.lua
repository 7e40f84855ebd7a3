#!lua
--#include births queue strand sign
-- What comes over from another program (migration.py). arg: jobs, plan, given (pairs of place and
-- inputs), results (rows and errors), values (names), orders (hash, field, text), marks; then bytes:
-- payloads of jobs, results of inputs, results, values. False: some of it came meanwhile.
local place = 2
local function next_bytes() place = place + 1 return ARGV[place] end
for from = 1, #arg.marks, 2000 do
  for _, known in ipairs(call('HMGET', P .. 'brought', unpack(arg.marks, from, math.min(from + 1999, #arg.marks)))) do
    if known then return false end
  end
end
describe_queue()
local payloads, fresh = {}, {}
for i = 1, #arg.jobs do payloads[i] = next_bytes() end
local answer = insert_jobs(arg.jobs, payloads)
if not answer then return redis.error_reply(refusal) end
for i = 1, #answer do
  fresh[i] = answer[i][2]
  answer[i][2] = true
end
for i = #arg.plan.handlers, 1, -1 do
  if not fresh[arg.plan.handlers[i][1] + 1] then table.remove(arg.plan.handlers, i) end
end
join(answer, arg.plan)
for i = 1, #answer do answer[i][2] = fresh[i] end
for _, pair in ipairs(arg.given) do
  local row = answer[pair[1] + 1][1]
  for _, one in ipairs(pair[2]) do if one[5] then one[5] = next_bytes() end end
  keep_inputs(row, pair[2])
  row[INPUTS] = row[INPUTS] + #pair[2]
  save(row)
end
for _, one in ipairs(arg.results) do
  local row = setmetatable(one[1], usual)
  local seq = (tonumber(read('queue', 'seq') or nil) or 0) + 1
  set('queue', 'seq', seq)
  row[SEQ], row[RUN_AT], row[ENQUEUED_AT], row[FINISHED_AT], row[TAKEN] = seq, now, now, now, 0
  set('id', row[ID], seq)
  set('payload', seq, '')
  set('result', seq, next_bytes())
  if one[2] then set('error', seq, one[2]) end
  stood[seq] = row[STATE]
  save(row)
end
for _, name in ipairs(arg.values) do
  set('value', name, struct.pack('>dd', 0, now) .. next_bytes())
end
for _, order in ipairs(arg.orders) do set(order[1], order[2], order[3]) end
for _, mark in ipairs(arg.marks) do set('brought', mark, '1') end
local born = {}
for i = 1, #answer do born[i] = answer[i][1] end
settle_touched()
sign('load', born)
ring()
return described(answer)
