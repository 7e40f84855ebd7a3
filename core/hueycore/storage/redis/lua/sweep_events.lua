#!lua flags=allow-oom
--#include rows sign
-- arg: ids, verb, what, operator. Answers how many went.
local number = 0
for from = 1, #arg.ids, 2000 do
  number = number + call('XDEL', P .. 'event', unpack(arg.ids, from, math.min(from + 1999, #arg.ids)))
end
if arg.verb then sign(arg.verb, number, arg.what) end
return number
