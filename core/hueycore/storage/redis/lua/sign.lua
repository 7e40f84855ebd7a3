--#include rows logevent
-- Note a verb of the operator, unless it changed nothing; jobs: rows, or a number.
local function sign(verb, jobs, what)
  if not arg.operator then return end
  local one, number = nil, jobs
  if type(jobs) == 'table' then
    number = #jobs
    if number == 1 then one = jobs[1] end
  end
  if number == 0 then return end
  local fields = {'signal', verb, 'worker', arg.operator}
  local function note(name, value)
    if value then fields[#fields + 1], fields[#fields + 2] = name, value end
  end
  if one then note('seq', one[SEQ]) note('id', one[ID]) end
  note('task', one and one[TASK] or what)
  note('reason', arg.reason)
  note('jobs', number)
  log_event(fields)
  note_write()
end
