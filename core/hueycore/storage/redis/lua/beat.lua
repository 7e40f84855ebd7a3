#!lua flags=allow-oom
-- ARGV: now, worker, what it runs, the connection that beats (JSON). The answer 0: it was taken for dead.
local P = string.sub(KEYS[1], 1, -4)
if redis.call('HEXISTS', P .. 'worker', ARGV[2]) == 0 then return 0 end
redis.call('HSET', P .. 'worker', ARGV[2] .. ' runs', ARGV[3], ARGV[2] .. ' link', ARGV[4])
return redis.call('HINCRBY', P .. 'worker', ARGV[2] .. ' beat', 1)
