#!lua
--#include keys
-- arg: name, owner, token (hex), ttl, reserve, dead (an owner that does not live any more).
local text = call('HGET', P .. 'lock', arg.name)
local old = text and cjson.decode(text)
if old and (old.expires_at and old.expires_at <= now or old.owner == arg.dead
    or call('HEXISTS', P .. 'worker', old.owner) == 0) then old = false end
if old and old.token ~= arg.token then return 0 end
local busy = count_in('running', arg.name) > 0
if busy and not arg.reserve then return 0 end
local lease = arg.ttl and not busy and string.format('"expires_at":%.17g,', now + arg.ttl) or ''
set('lock', arg.name, string.format('{"token":"%s","owner":%d,"held":%d,%s"created_at":%.17g}',
  arg.token, arg.owner, busy and 0 or 1, lease, now))
touched[arg.name] = true
settle_touched()
return busy and 0 or 1
