--#include keys
-- The jobs of paused tasks that stand first are passed over once and not at each look, of which there
-- may be a thousand while such a task has 100,000 jobs. The queue keeps the place of the last of them,
-- and the tasks. What becomes pending in front of it is listed in 'ahead' as well (rows.lua).
local FEW, MANY = 100, 1000
local unbroken, last, number, tasks = true, nil, 0, {}

-- The rank in 'pending' from which on jobs are to be looked at; those in 'ahead' come before.
local function first_rank()
  if not passed then return 0 end
  local stands = call('ZCARD', P .. 'ahead') <= MANY
  for task in pairs(passed[4]) do stands = stands and paused_tasks()[task] end
  local score, member = passed[1], struct.pack('>dI8', passed[2], passed[3])
  if stands and tonumber(call('ZSCORE', P .. 'pending', member) or nil) == score then
    return call('ZRANK', P .. 'pending', member) + 1
  end
  passed = nil
  call('HDEL', P .. 'queue', 'passed')
  call('DEL', P .. 'ahead')
  return 0
end

-- What a look has seen, in running order. A job of another task that stays pending ends the row.
local function seen(row, is_paused)
  if is_ahead(row) then return end
  if not is_paused then unbroken = unbroken and row[STATE] ~= 'pending'
  elseif unbroken then last, number, tasks[row[TASK]] = row, number + 1, true end
end

local function keep_passed()
  if number < FEW then return end
  for task in pairs(passed and passed[4] or {}) do tasks[task] = true end
  passed = {0 - last[PRIORITY], last[RUN_AT], last[SEQ], tasks}
  call('HSET', P .. 'queue', 'passed', cmsgpack.pack(passed))
end
