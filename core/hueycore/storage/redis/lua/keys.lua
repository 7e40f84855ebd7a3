--#include rows rates
-- Keys: jobs that share one are held back together. The running and the pending rows of a key are
-- its semaphore, so that no slot can leak; who finds none waits as 'blocked' (keys.py).
local limits, paused, resume

local function limit_of(task)
  if not limits then
    limits = {}
    local flat = call('HGETALL', P .. 'limit')
    for i = 1, #flat, 2 do limits[flat[i]] = cjson.decode(flat[i + 1]) end
  end
  return limits[task]
end

-- The paused tasks; resume: when the next of these pauses ends by itself.
local function paused_tasks()
  if not paused then
    paused, resume = {}, false
    local flat = call('HGETALL', P .. 'flag')
    for i = 1, #flat, 2 do
      local task = string.match(flat[i], '^paused%-task (.*)$')
      local till = task and cjson.decode(flat[i + 1])['until']
      if task and (not till or till > now) then
        paused[task] = true
        if till then resume = math.min(resume or till, till) end
      end
    end
  end
  return paused
end

-- Whether a lock holds the whole key back, and when its lease ends if it has one.
local function outside_lock(name)
  local text = read('lock', name)
  local lock = text and cjson.decode(text)
  if not lock or (lock.expires_at and lock.expires_at <= now) then return false, false end
  return true, lock.expires_at or false
end

local function count_in(state, name)
  local start = of_key(name, state)
  return call('ZLEXCOUNT', P .. 'key', '[' .. start, '(' .. start .. '\255\255')
end

local function page_in(state, name, from, most)
  local start = of_key(name, state)
  return numbers(call('ZRANGEBYLEX', P .. 'key', '[' .. start, '(' .. start .. '\255\255', 'LIMIT', from, most))
end

-- The last of the pending jobs of a key, the very last one first, without those of paused tasks.
local function pending_of(name, most)
  local start, found = of_key(name, 'pending'), {}
  local seqs = numbers(call('ZREVRANGEBYLEX', P .. 'key', '(' .. start .. '\255\255', '[' .. start, 'LIMIT', 0, most))
  fetch(seqs)
  for i = 1, #seqs do
    local row = get(seqs[i])
    if not paused_tasks()[row[TASK]] then found[#found + 1] = row end
  end
  return found
end

local function wake_at(name, due)
  if due then call('ZADD', P .. 'due', due, name) else call('ZREM', P .. 'due', name) end
end

-- How much room a key has, while it is being filled.
local function room_of(name)
  local room = {taken = 0, chosen = {}, parked = 0}
  local running, pending = count_in('running', name), nil
  local rows
  local function rows_pending()
    rows = rows or pending_of(name, next(paused_tasks()) and -1 or MOST)
    return rows
  end
  local function used()
    if not pending then
      pending = next(paused_tasks()) and #rows_pending() or count_in('pending', name)
    end
    return pending
  end
  local function nth_slot(rate, taken)
    local tat = tat_of(name)
    for _ = 1, math.min(taken, rate.burst) do tat = tat_after(rate, tat) end
    return slot_of(rate, tat)
  end
  local function has_room(limit, more)
    local ahead = used() + more
    if limit.at_once and running + ahead >= limit.at_once then return false end
    return not limit.rate or nth_slot(limit, ahead) <= now
  end
  function room.take(limit)
    if limit and not has_room(limit, room.taken) then return false end
    room.taken = room.taken + 1
    return true
  end
  -- Make room by parking a pending job of a lower priority that is held back in the same way.
  function room.swap(limit, priority)
    if not limit or used() == 0 or not has_room(limit, room.taken - 1) then return false end
    local list = rows_pending()
    for place = 1, #list do
      local other = list[place]
      local theirs = limit_of(other[TASK])
      if other[PRIORITY] < priority and theirs and theirs.at_once == limit.at_once
          and theirs.rate == limit.rate and theirs.per == limit.per and theirs.burst == limit.burst then
        table.remove(list, place)
        other[STATE] = 'blocked'
        save(other)
        return true
      end
    end
    return false
  end
  -- When time gives the next job its turn; false when it waits for another job first.
  function room.slot(limit)
    if not limit or not limit.rate or used() + room.taken > 0 then return false end
    local slot = nth_slot(limit, 0)
    return slot > now and slot
  end
  return room
end

-- Fill a key with its blocked jobs. Answers when time alone will make more room, if it will.
local function fill(name)
  paused_tasks()
  local due, room, from, most = resume, room_of(name), 0, 4  -- most find room for one
  while true do
    local page = page_in('blocked', name, from, most)
    if #page == 0 then return due end
    fetch(page)
    for i = 1, #page do
      local row = get(page[i])
      if not paused[row[TASK]] then
        if #room.chosen == MOST then return now end
        local limit = limit_of(row[TASK])
        if not room.take(limit) and not room.swap(limit, row[PRIORITY]) then
          local slot = room.slot(limit)
          return due and slot and math.min(due, slot) or due or slot
        end
        room.chosen[#room.chosen + 1] = row
        row[STATE] = 'pending'
        save(row)
      end
    end
    from, most = from + #page, math.min(4 * most, 256)
  end
end

-- Promote the blocked jobs that a key has room for, in running order. A paused task takes no part:
-- its pending rows hold no slot, its blocked ones stay.
local freed = {}
local function settle(name)
  flush()
  local n = #changed
  local locked, lease = outside_lock(name)
  local due
  if locked then due = lease else due = fill(name) end
  for i = n + 1, #changed do
    if held[changed[i]][STATE] == 'pending' then freed[#freed + 1] = changed[i] end
  end
  flush()
  wake_at(name, due)
end

-- Settle every key that was touched, and write all.
local function settle_touched()
  flush()
  while next(touched) do
    local names = {}
    for name in pairs(touched) do names[#names + 1] = name end
    table.sort(names)
    touched = {}
    for _, name in ipairs(names) do settle(name) end
  end
end

-- A process is gone, and its locks with it.
local function free_locks(owner)
  local flat = call('HGETALL', P .. 'lock')
  for i = 1, #flat, 2 do
    if cjson.decode(flat[i + 1]).owner == owner then
      del('lock', flat[i])
      touched[flat[i]] = true
    end
  end
end
