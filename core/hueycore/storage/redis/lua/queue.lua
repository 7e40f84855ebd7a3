--#include rows
-- Make the queue's row; it tells those who write without the application how to.
local function describe_queue()
  if not read('queue', 'created_at') then set('queue', 'created_at', string.format('%.17g', now)) end
  if arg.serializer and read('queue', 'serializer') ~= arg.serializer then
    set('queue', 'serializer', arg.serializer)
  end
end
