#!lua
--#include queue sign
-- arg: resume; or until_, by, reason (of the pause); operator. 0: nothing was paused.
local fields = {'paused_at', 'paused_until', 'paused_by', 'pause_reason'}
if arg.resume then
  if call('HEXISTS', P .. 'queue', 'paused_at') == 0 then return 0 end
  for _, field in ipairs(fields) do del('queue', field) end
else
  describe_queue()
  set('queue', 'paused_at', string.format('%.17g', now))
  set('queue', 'paused_until', arg.until_ and string.format('%.17g', arg.until_) or false)
  set('queue', 'paused_by', arg.by or false)
  set('queue', 'pause_reason', arg.reason or false)
end
flush()
sign(arg.resume and 'resume' or 'pause')
if arg.resume then ring() end
return 1
