#!lua
--#include periodic sign
-- Remove, pause or resume schedules. arg: verb, names, by, reason. Answers the names changed.
local changed_names = {}
for _, name in ipairs(arg.names) do
  local one = schedule_of(name)
  local fits = one and (arg.verb == 'pause' or (arg.verb == 'resume' and one[PAUSED_AT])
    or (arg.verb == 'unschedule' and one[ORIGIN] == 'stored'))
  if fits then
    if arg.verb == 'unschedule' then forget_schedule(name)
    else
      local pauses = arg.verb == 'pause'
      one[PAUSED_AT] = pauses and (one[PAUSED_AT] or now)
      one[PAUSED_BY], one[PAUSE_REASON] = pauses and arg.by or false, pauses and arg.reason or false
      save_schedule(one)
    end
    changed_names[#changed_names + 1] = name
  end
end
flush()
for _, name in ipairs(changed_names) do sign(arg.verb, nil, name) end
if arg.verb == 'resume' then ring() end
return changed_names
