#!lua flags=allow-oom
--#include endings passed
-- arg: worker, endings, want (free, quick, suspects, last_chance, only, bytes), number; the bytes of
-- results and causes. The same number again: the answer was lost on its way, and is given once more.
local worker, want = arg.worker, arg.want
local last = call('HGET', P .. 'last', worker)
last = last and cmsgpack.unpack(last)
if last and last[1] == arg.number then
  return {many('HMGET', 'row', last[2]), many('HMGET', 'payload', last[2]), unpack(last, 3)}
end
-- A call that was given up, and comes after those that its worker has made since.
if last and last[1] > arg.number then return redis.error_reply('HUEY LATE ' .. worker) end
local claiming = want.free > 0 or want.ahead
if claiming and call('HEXISTS', P .. 'worker', worker) == 0 then
  return redis.error_reply('HUEY MOVED ' .. worker)
end

local lost, stopped, bad = {}, {}, {}
if #arg.endings > 0 then
  lost, stopped, bad = apply_endings(arg.endings)
  settle_touched()
end
local promoted = #freed > 0

local claims, revoked, expired, held_by, size, parked = {}, {}, {}, '', 0, 0
local running = {}
local banned = call('HLEN', P .. 'banned') > 0

local function admit(row)  -- take a slot of its key; false parks the job
  local name = row[KEY_NAME]
  if running[name] == nil then running[name] = not outside_lock(name) and count_in('running', name) end
  local limit, lets = limit_of(row[TASK]), running[name]
  if lets and limit and limit.at_once and lets >= limit.at_once then lets = false end
  if lets and limit and limit.rate then
    local tat = tat_of(name)
    if slot_of(limit, tat) > now then lets = false
    else
      set_tat(name, tat_after(limit, tat))
      touched[name] = true
    end
  end
  if lets then
    running[name] = running[name] + 1
    return true
  end
  row[STATE] = 'blocked'
  save(row)
  touched[name], parked = true, parked + 1
  return false
end

local revoked_tasks
local function is_revoked(row)
  if banned then
    local text = read('banned', row[ID])
    local order = text and cjson.decode(text)
    if order and not (order['until'] and order['until'] <= now) then
      del('banned', row[ID])
      return true
    end
  end
  if not revoked_tasks then
    revoked_tasks = {}
    local flat = call('HGETALL', P .. 'flag')
    for i = 1, #flat, 2 do
      local task = string.match(flat[i], '^revoked%-task (.*)$')
      if task then revoked_tasks[task] = cjson.decode(flat[i + 1]) end
    end
  end
  local order = revoked_tasks[row[TASK]]
  if not order or (order['until'] and order['until'] <= now) then return false end
  if order.once then
    revoked_tasks[row[TASK]] = nil
    del('flag', 'revoked-task ' .. row[TASK])
  end
  return true
end

local flags, me = call('HLEN', P .. 'flag') > 0
local function is_held(row) return flags and paused_tasks()[row[TASK]] end

local function choose(row)  -- false ends the group
  local crashes = math.max(row[CRASHES], row[SUSPECT])
  if crashes > 0 and not (want.suspects and (want.last_chance or crashes < row[MAX_CRASHES] - 1)) then
    return true
  end
  if row[EXPIRES_AT] and row[EXPIRES_AT] <= now then
    expired[#expired + 1] = row
    return #expired < MOST
  end
  if (flags or banned) and is_revoked(row) then
    revoked[#revoked + 1] = row
    return #revoked < MOST
  end
  if crashes > 0 and #claims > 0 then return false end
  -- What must not run twice begins a group: nobody claims it along with what may.
  if row[AT_MOST_ONCE] == 1 and #claims > 0 and get(claims[1])[AT_MOST_ONCE] == 0 then return false end
  -- What must not run twice waits in no group: nobody could tell that it has not begun.
  local group = row[AT_MOST_ONCE] == 1 and 0 or want.quick[row[TASK]] or 0
  if #claims >= want.free and #claims >= group then return false end
  local length = size + call('HSTRLEN', P .. 'payload', row[SEQ])
  if length > want.bytes and #claims > 0 then
    held_by = 'bytes'
    return false
  end
  if row[KEY_NAME] and not admit(row) then return parked < MOST end
  size = length
  row[STATE], row[WORKER], row[CLAIMED_AT] = 'running', worker, now
  row[CLAIM], row[ATTEMPT] = row[CLAIM] + 1, row[ATTEMPT] + 1
  if #claims == 0 then me = name_of(worker) or false end
  row[RAN_BY] = me
  save(row)
  claims[#claims + 1] = row[SEQ]
  return crashes == 0
end

local function offer(name, from)  -- in running order; false when the group ended
  local most = want.free
  for _, number in pairs(want.quick) do most = math.max(most, number) end
  local full = most
  while #claims < full do
    local page = numbers(call('ZRANGE', P .. name, from, from + most - 1))
    fetch(page)
    for i = 1, #page do
      local row = get(page[i])
      local held_back = is_held(row)
      if not held_back and not choose(row) then return false end
      seen(row, held_back)
    end
    if #page < most then return true end
    from, most = from + most, math.min(2 * most, 1000)
  end
end

local function is_paused()
  local about = call('HMGET', P .. 'queue', 'paused_at', 'paused_until')
  return about[1] and not (about[2] and tonumber(about[2]) <= now)
end

local function refs(rows)
  local found = {}
  for i = 1, #rows do
    local row = rows[i]
    found[#found + 1] = row[SEQ] found[#found + 1] = row[ID] found[#found + 1] = row[TASK]
  end
  return found
end

if claiming and not is_paused() then
  if want.only then
    local row = get(want.only)
    if row and row[STATE] == 'pending' and not is_held(row) then choose(row) end
  else
    local rank = first_rank()
    if not passed or offer('ahead', 0) then offer('pending', rank) end
    keep_passed()
  end
  end_waiting(revoked, 'revoked', 'revoked')
  end_waiting(expired, 'expired', false)
  settle_touched()
end
revoked, expired = refs(revoked), refs(expired)
local again = parked >= MOST and 1 or 0
if wrote then
  local answer = {arg.number, claims, lost, revoked, expired, held_by, stopped, bad, again}
  call('HSET', P .. 'last', worker, cmsgpack.pack(answer))
end
if promoted then ring() end
local taken, rows = many('HMGET', 'payload', claims), {}
for i = 1, #claims do rows[i] = packed[claims[i]] end
return {rows, taken, lost, revoked, expired, held_by, stopped, bad, again}
