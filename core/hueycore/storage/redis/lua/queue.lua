--#include rows
local function describe_queue()
  if call('HSETNX', P .. 'queue', 'created_at', string.format('%.17g', now)) == 1 then
    note_write()
  end
  if arg.serializer then call('HSET', P .. 'queue', 'serializer', arg.serializer) end
end
