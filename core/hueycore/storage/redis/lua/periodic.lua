--#include rows queue
-- Schedules (periodic.py): packed lists of these fields, options as JSON.
local NAME, PTASK, SCHEDULE, TZ, NEXT_RUN, LAST_RUN, LAST_ID, CATCH_UP, GRACE, PAUSED_AT, PAUSED_BY,
  PAUSE_REASON, PAYLOAD, PPREVIEW, OPTIONS, ORIGIN = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

local function schedule_of(name)
  local text = read('periodic', name)
  return text and cmsgpack.unpack(text)
end

local function save_schedule(one)
  set('periodic', one[NAME], cmsgpack.pack(one))
  if one[PAUSED_AT] then call('ZREM', P .. 'firing', one[NAME])
  else call('ZADD', P .. 'firing', one[NEXT_RUN], one[NAME]) end
end

local function forget_schedule(name)
  del('periodic', name)
  call('ZREM', P .. 'firing', name)
end

-- again: its worker declared it before, so what stands there is not older.
local function store_schedule(one, again)
  local old = schedule_of(one[NAME])
  if old then
    if again or (old[ORIGIN] ~= 'stored') ~= (one[ORIGIN] ~= 'stored') and one[ORIGIN] ~= 'stored' then return end
    if old[SCHEDULE] == one[SCHEDULE] and old[TZ] == one[TZ] then one[NEXT_RUN] = old[NEXT_RUN] end
    for _, field in ipairs{LAST_RUN, LAST_ID, PAUSED_AT, PAUSED_BY, PAUSE_REASON} do one[field] = old[field] end
    if old[ORIGIN] == 'code' then one[ORIGIN] = 'code' end
  end
  save_schedule(one)
end

local function declared_by_others(worker)
  local found, flat = {}, call('HGETALL', P .. 'declared')
  for i = 1, #flat, 2 do
    if tonumber(flat[i]) ~= worker then
      for _, name in ipairs(cmsgpack.unpack(flat[i + 1])) do found[name] = true end
    end
  end
  return found
end

-- These, and no others, are what a worker has in its code from now on.
local function declare(schedules, payloads, worker)
  local text = worker and call('HGET', P .. 'declared', worker)
  local earlier, mine, names = {}, {}, {}
  local list = text and cmsgpack.unpack(text) or {}
  for _, name in ipairs(list) do earlier[name] = true end
  for i, one in ipairs(schedules) do
    one[PAYLOAD] = payloads[i]
    names[i], mine[one[NAME]] = one[NAME], true
    store_schedule(one, earlier[one[NAME]])
  end
  if worker then set('declared', worker, #names > 0 and cmsgpack.pack(names) or false) end
  local others = declared_by_others(worker)
  local flat = call('HGETALL', P .. 'periodic')
  for i = 1, #flat, 2 do
    local name = flat[i]
    if not mine[name] and not others[name] and (#list == 0 or earlier[name])
        and cmsgpack.unpack(flat[i + 1])[ORIGIN] ~= 'stored' then forget_schedule(name) end
  end
end

-- A worker is gone: so are the schedules that it declared while it ran, unless another one has them.
local function forget_declarations(worker)
  if call('HEXISTS', P .. 'declared', worker) == 0 then return end
  del('declared', worker)
  local others = declared_by_others(worker)
  local flat = call('HGETALL', P .. 'periodic')
  for i = 1, #flat, 2 do
    if cmsgpack.unpack(flat[i + 1])[ORIGIN] == 'process' and not others[flat[i]] then
      forget_schedule(flat[i])
    end
  end
end
