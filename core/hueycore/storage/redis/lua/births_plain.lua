#!lua
--#keys row payload id pending scheduled queue arrival
-- Jobs without options are born: the usual enqueue, at a third of what the whole rules cost. The
-- answer 0: those have to do it. ARGV: now, the most jobs that may be pending, what the queue's
-- payloads are written with; then of each job its id, task, priority, run_at, preview, payload.
local P, call, now = string.sub(KEYS[1], 1, -4), redis.call, tonumber(ARGV[1])
local count = (#ARGV - 3) / 6
local about = call('HMGET', P .. 'queue', 'seq', 'version', 'events', 'created_at', 'serializer', 'passed')
if about[3] == '1' or about[6] then return 0 end
local ids, seen = {}, {}
for i = 1, count do
  local id = ARGV[6 * i - 2]
  if seen[id] then return 0 end
  ids[i], seen[id] = id, true
end
for from = 1, count, 2000 do
  local known = call('HMGET', P .. 'id', unpack(ids, from, math.min(from + 1999, count)))
  for i = 1, #known do if known[i] then return 0 end end
end
if ARGV[2] ~= '' then
  local waiting = call('ZCARD', P .. 'pending')
  if waiting + count > tonumber(ARGV[2]) then return redis.error_reply('HUEY FULL ' .. waiting) end
end
local first = tonumber(about[1] or 0)
local rows, payloads, places, pending, scheduled = {}, {}, {}, {}, {}
for i = 1, count do
  local at, seq, k = 6 * i - 2, first + i, 2 * i
  local priority, run_at, preview = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4]
  local later = run_at and run_at > now
  run_at = later and run_at or now
  local row = {seq, ids[i], ARGV[at + 1], later and 'scheduled' or 'pending', priority, run_at, now}
  if preview ~= '' then row[8], row[9], row[10], row[11], row[12] = 0, 0, false, false, preview end
  rows[k - 1], rows[k] = seq, cmsgpack.pack(row)
  payloads[k - 1], payloads[k] = seq, ARGV[at + 5]
  places[k - 1], places[k] = ids[i], seq
  local list = later and scheduled or pending
  list[#list + 1] = later and run_at or 0 - priority
  list[#list + 1] = later and seq or struct.pack('>dI8', run_at, seq)
end
local function each(command, name, list)
  for from = 1, #list, 2000 do
    call(command, P .. name, unpack(list, from, math.min(from + 1999, #list)))
  end
end
each('HSET', 'row', rows)
each('HSET', 'payload', payloads)
each('HSET', 'id', places)
each('ZADD', 'pending', pending)
each('ZADD', 'scheduled', scheduled)
call('HSET', P .. 'queue', 'seq', first + count, 'version', tonumber(about[2] or 0) + 1)
if not about[4] then call('HSET', P .. 'queue', 'created_at', string.format('%.17g', now)) end
if ARGV[3] ~= '' and about[5] ~= ARGV[3] then call('HSET', P .. 'queue', 'serializer', ARGV[3]) end
call('HSETNX', P .. 'arrival', math.floor(now / 60), first + 1)
call('PUBLISH', P .. 'bell', '1')
return first + 1
