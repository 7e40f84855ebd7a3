#!lua flags=allow-oom
--#include keys sign
--#later metrics: leave_minute
-- Delete fields of a hash that are still as they were seen. arg: name, verb, what, operator, settle;
-- pairs of field and value ('' for whatever it is). Answers how many went.
local number = 0
if arg.name == 'metric' then
  for i = 3, #ARGV, 2 do metrics().leave_minute(ARGV[i]) end
  flush()
end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' or call('HGET', P .. arg.name, ARGV[i]) == ARGV[i + 1] then
    number = number + call('HDEL', P .. arg.name, ARGV[i])
    if arg.name == 'value' then call('ZREM', P .. 'lapsing', ARGV[i]) end
    if arg.settle then touched[ARGV[i]] = true end
  end
end
if number > 0 then note_write() end
settle_touched()
if arg.verb then sign(arg.verb, number, arg.what) end
return number
