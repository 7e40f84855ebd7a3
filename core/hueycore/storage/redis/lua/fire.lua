#!lua
--#include births periodic
-- Where next_run is still what was seen: move it on and enqueue the jobs. arg: fires, lists of name,
-- seen, next_run, jobs; a payload per job. Answers the names of those that moved.
local moved, place, names = {}, 2, {}
for _, one in ipairs(arg.fires) do
  local name, seen, jobs = one[1], one[2], one[4]
  local schedule = schedule_of(name)
  local payloads = {}
  for i = 1, #jobs do payloads[i] = ARGV[place + i] end
  place = place + #jobs
  if schedule and schedule[NEXT_RUN] == seen and not schedule[PAUSED_AT] then
    schedule[NEXT_RUN] = one[3]
    moved[#moved + 1] = {schedule, jobs, payloads}
    names[#names + 1] = name
  end
end
local born = false
for _, one in ipairs(moved) do
  local schedule, jobs = one[1], one[2]
  if #jobs > 0 then
    if not born then describe_queue() born = true end
    schedule[LAST_RUN] = jobs[#jobs][SCHEDULED_FOR] or schedule[LAST_RUN]
    local answer = insert_jobs(jobs, one[3])
    if not answer then return redis.error_reply(refusal) end
    count_arrivals(answer)
    schedule[LAST_ID] = answer[#answer][1][ID]
  end
  save_schedule(schedule)
end
settle_touched()
if born then ring() end
return names
