#!lua
--#include rows
-- Values of the application's own: two times before the bytes, when it ends (0: never) and when it
-- was stored. arg: name, only_empty, ttl; the bytes. 0: there was one.
local old = arg.only_empty and call('HGET', P .. 'value', arg.name)
if old then
  local till = struct.unpack('>d', old)
  if till == 0 or till > now then return 0 end
end
set('value', arg.name, struct.pack('>dd', arg.ttl and now + arg.ttl or 0, now) .. ARGV[3])
flush()
if arg.ttl then call('ZADD', P .. 'lapsing', now + arg.ttl, arg.name) else call('ZREM', P .. 'lapsing', arg.name) end
return 1
