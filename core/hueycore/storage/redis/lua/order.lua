#!lua flags=allow-oom
--#include strand queue sign
-- A standing order is set (arg.text) or taken back. arg: hash, field, text, settle, verb, what,
-- reason, operator. 0: there was none in force.
local old = call('HGET', P .. arg.hash, arg.field)
if arg.text then
  describe_queue()
  set(arg.hash, arg.field, arg.text)
else del(arg.hash, arg.field) end
flush()
if arg.settle then
  for _, name in ipairs(blocked_keys()) do touched[name] = true end
  settle_touched()
end
if not arg.text then
  local till = old and cjson.decode(old)['until']
  if not old or (till and till <= now) then return 0 end
end
sign(arg.verb, nil, arg.what)
if not arg.text then ring() end
return 1
