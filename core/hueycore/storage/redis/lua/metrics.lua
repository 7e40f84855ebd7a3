--#include rows
-- Endings counted per minute and task, and per task for ever: done, retried, dead, revoked, expired,
-- seconds that the runs took, the longest of them, and histograms as lists bucket, number, …. The newest
-- minute is added to the total when the next one begins: of a minute the last field says that this is
-- done, of a total which minute that is.
local OPEN, ADDED = 10, 1
local COUNTED = {done = 1, retry = 2, dead = 3, revoked = 4, expired = 5}
local tallies = {}

local function bucket(seconds)
  if seconds <= 0.0001 then return 0 end
  return math.ceil(4 * math.log(seconds / 0.0001) / math.log(2))
end

local function grow(list, number, count)
  local at = 1
  while list[at] and list[at] ~= number do at = at + 2 end
  list[at], list[at + 1] = number, (list[at + 1] or 0) + count
end

local function sum(line, more)
  for i = 1, 6 do line[i] = line[i] + more[i] end
  line[7] = math.max(line[7], more[7])
  for i = 8, 9 do
    if type(line[i]) ~= 'table' then line[i] = {} end
    local list = type(more[i]) == 'table' and more[i] or {}
    for at = 1, #list, 2 do grow(line[i], list[at], list[at + 1]) end
  end
end

local function empty_line() return {0, 0, 0, 0, 0, 0, 0, {}, {}} end

local function tally(row, kind, started, run_s, run_bucket, wait_bucket)
  local which = COUNTED[kind]
  if not which then return end
  local line = tallies[row[TASK]]
  if not line then line = empty_line() tallies[row[TASK]] = line end
  line[which] = line[which] + 1
  if started then
    line[6], line[7] = line[6] + run_s, math.max(line[7], run_s)
    grow(line[8], run_bucket, 1)
    grow(line[9], wait_bucket, 1)
  end
end

-- A line, and whether it was there.
local function line_of(name, field)
  local text = read(name, field)
  local fine, line = pcall(cmsgpack.unpack, text or '')
  if not text or not fine or type(line) ~= 'table' then return empty_line(), text end
  return line, text
end

-- Add to a total the minute that is not in it yet.
local function complete_total(task, total)
  local field = (total[OPEN] or 0) .. ' ' .. task
  local minute, known = line_of('metric', field)
  if known and minute[OPEN] ~= ADDED then
    sum(total, minute)
    minute[OPEN] = ADDED
    set('metric', field, cmsgpack.pack(minute))
  end
  total[OPEN] = 0
end

-- A minute's line is about to go.
local function leave_minute(field)
  local minute, task = string.match(field, '^(%d+) (.*)$')
  local total = line_of('total', task)
  if total[OPEN] == tonumber(minute) then
    complete_total(task, total)
    set('total', task, cmsgpack.pack(total))
  end
end

local function write_tallies()
  local now_minute = math.floor(now / 60)
  for task, line in pairs(tallies) do
    local field = now_minute .. ' ' .. task
    local minute, known = line_of('metric', field)
    if not known or minute[OPEN] == ADDED then
      local total = line_of('total', task)
      if known then sum(total, line)
      else
        complete_total(task, total)
        total[OPEN] = now_minute
      end
      set('total', task, cmsgpack.pack(total))
    end
    sum(minute, line)
    set('metric', field, cmsgpack.pack(minute))
  end
  tallies = {}
end
