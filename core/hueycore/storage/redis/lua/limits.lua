#!lua
--#include strand
-- What the code says of its tasks. arg: set (pairs of task and JSON text), gone (tasks).
for _, pair in ipairs(arg.set) do set('limit', pair[1], pair[2]) end
for _, task in ipairs(arg.gone) do del('limit', task) end
flush()
for _, name in ipairs(blocked_keys()) do touched[name] = true end
settle_touched()
ring()
return 1
