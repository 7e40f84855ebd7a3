#!lua flags=allow-oom
--#include rows
-- arg: names, counters (whether those of these names go too). Answers the first value, and how many
-- there were.
local value, number = call('HGET', P .. 'value', arg.names[1]), 0
for _, name in ipairs(arg.names) do
  number = number + call('HDEL', P .. 'value', name)
  call('ZREM', P .. 'lapsing', name)
  if arg.counters then
    number = number + call('HDEL', P .. 'counter', 'n' .. name)
    call('HDEL', P .. 'counter', 't' .. name)
  end
end
if number > 0 then note_write() end
return {value, number}
