#!lua flags=no-writes,allow-oom
-- What a consumer looks after, in one call. ARGV: now, the names of the schedules in its code. Answers
-- whether a job is pending, whether one is past its expiry, what janitors have to finish, when the next
-- job, key and schedule is due, how many of the schedules are stored, and pairs of worker and beat.
local P, call, now = string.sub(KEYS[1], 1, -4), redis.call, tonumber(ARGV[1])

local function first(name) return call('ZRANGE', P .. name, 0, 0, 'WITHSCORES')[2] or false end

local beats = {}
for _, field in ipairs(call('HKEYS', P .. 'worker')) do
  local worker = string.match(field, '^(%d+) beat$')
  if worker then
    beats[#beats + 1] = tonumber(worker)
    beats[#beats + 1] = tonumber(call('HGET', P .. 'worker', field))
  end
end
local mine, stored, fires = {}, 0, false
for i = 2, #ARGV do
  mine[ARGV[i]] = true
  stored = stored + call('HEXISTS', P .. 'periodic', ARGV[i])
end
local firing = call('ZRANGE', P .. 'firing', 0, -1, 'WITHSCORES')
for i = 1, #firing, 2 do
  local one = not mine[firing[i]] and call('HGET', P .. 'periodic', firing[i])
  if mine[firing[i]] or (one and cmsgpack.unpack(one)[16] == 'stored') then
    fires = firing[i + 1]
    break
  end
end
return {
  call('ZCARD', P .. 'pending'), call('ZCOUNT', P .. 'expiring', '-inf', now),
  call('HLEN', P .. 'batches') + call('HLEN', P .. 'owed'),
  first('scheduled'), first('due'), fires, stored, beats,
}
