#!lua flags=allow-oom
--#include keys sign
-- arg: name, token (hex), operator. 0: there was none, or its lease was over.
local text = call('HGET', P .. 'lock', arg.name)
local old = text and cjson.decode(text)
if not old or (arg.token and old.token ~= arg.token) then return 0 end
del('lock', arg.name)
touched[arg.name] = true
settle_touched()
if old.expires_at and old.expires_at <= now then return 0 end
if not arg.token then sign('unlock', nil, arg.name) end
ring()
return 1
