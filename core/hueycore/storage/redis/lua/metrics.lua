--#include rows
-- Endings counted per minute and task, and per task for ever: done, retried, dead, revoked, expired,
-- seconds that the runs took, the longest of them, and histograms as lists bucket, number, …
local COUNTED = {done = 1, retry = 2, dead = 3, revoked = 4, expired = 5}
local tallies = {}

local function bucket(seconds)
  if seconds <= 0.0001 then return 0 end
  return math.ceil(4 * math.log(seconds / 0.0001) / math.log(2))
end

local function tally(row, kind, started, run_s, run_bucket, wait_bucket)
  local which = COUNTED[kind]
  if not which then return end
  local line = tallies[row[TASK]]
  if not line then line = {0, 0, 0, 0, 0, 0, 0, {}, {}} tallies[row[TASK]] = line end
  line[which] = line[which] + 1
  if started then
    line[6], line[7] = line[6] + run_s, math.max(line[7], run_s)
    line[8][run_bucket] = (line[8][run_bucket] or 0) + 1
    line[9][wait_bucket] = (line[9][wait_bucket] or 0) + 1
  end
end

local function merged(flat, added)
  local counts = {}
  for i = 1, #flat, 2 do counts[flat[i]] = flat[i + 1] end
  for number, count in pairs(added) do counts[number] = (counts[number] or 0) + count end
  local found = {}
  for number, count in pairs(counts) do found[#found + 1] = number found[#found + 1] = count end
  return found
end

local function add_line(name, field, line)
  local text = read(name, field)
  local fine, old = pcall(cmsgpack.unpack, text or '')
  if not text or not fine or type(old) ~= 'table' then old = {0, 0, 0, 0, 0, 0, 0, {}, {}} end
  for i = 1, 6 do old[i] = old[i] + line[i] end
  old[7] = math.max(old[7], line[7])
  for i = 8, 9 do old[i] = merged(type(old[i]) == 'table' and old[i] or {}, line[i]) end
  set(name, field, cmsgpack.pack(old))
end

local function write_tallies()
  local minute = math.floor(now / 60)
  for task, line in pairs(tallies) do
    add_line('metric', minute .. ' ' .. task, line)
    add_line('total', task, line)
  end
  tallies = {}
end
