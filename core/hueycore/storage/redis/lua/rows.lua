-- Rows and their indexes: the only file that knows how a row is stored and where it is listed.
-- A rule takes a row, changes it and says save(row); one flush() at the end of each verb writes
-- all of them. Values of other hashes are written by set() and del(), at the same moment. Nothing is
-- written before the first flush(), so until then a script may refuse.
-- ARGV of every script: now, arguments (JSON without nulls), and bytes.
local P, now, arg = string.sub(KEYS[1], 1, -4), tonumber(ARGV[1]), cjson.decode(ARGV[2])
local call, held, was, stood, packed = redis.call, {}, {}, {}, {}
local dirty, changed, writes, holders, touched = {}, {}, {}, {}, {}
local usual = {__index = DEFAULT}

local function key(name) return P .. name end

local about = call('HMGET', P .. 'queue', 'events', 'passed')
local recording = about[1] == '1'
-- The last job that claims pass over, of paused tasks (passed.lua): score, run_at, seq, tasks.
local passed = about[2] and cmsgpack.unpack(about[2])
local before, faults = {}, {}  -- for the event log: rows as they were; the errors of failed runs

local function many(command, name, list)  -- ask, in portions that Lua's stack takes
  local found = {}
  for from = 1, #list, 2000 do
    local some = call(command, P .. name, unpack(list, from, math.min(from + 1999, #list)))
    if #list <= 2000 then return some end
    for i = 1, #some do found[#found + 1] = some[i] end
  end
  return found
end

local function each(command, name, list)  -- write, in the same way
  for from = 1, #list, 2000 do
    call(command, P .. name, unpack(list, from, math.min(from + 1999, #list)))
  end
end

-- Running order: priority desc, run_at, seq. Equal scores come in the order of their members.
local function order(row) return 0 - row[PRIORITY], struct.pack('>dI8', row[RUN_AT], row[SEQ]) end

-- True of a pending job that stands in front of those that are passed over, or among them.
local function is_ahead(row)
  if not passed then return false end
  local score = order(row)
  if score ~= passed[1] then return score < passed[1] end
  if row[RUN_AT] ~= passed[2] then return row[RUN_AT] < passed[2] end
  return row[SEQ] <= passed[3]
end

-- A number as 8 bytes that sort as it does.
local function sortable(number)
  local bytes = struct.pack('>d', number)
  if number >= 0 then return string.char(string.byte(bytes) + 128) .. string.sub(bytes, 2) end
  return (string.gsub(bytes, '.', function(c) return string.char(255 - string.byte(c)) end))
end

-- The start of the members of one key and state in the set 'key', all of score 0.
local function of_key(name, state) return name .. '\0' .. string.sub(state, 1, 1) end

local function number8(seq) return struct.pack('>I8', seq) end

-- True of the job that has its unique key.
local function holds(row)
  local till = row[UNIQUE_UNTIL]
  return till and not FINAL[row[STATE]] and (till == 'end' or row[STATE] ~= 'running')
end

-- Where a row is listed, as name, score, member: by state; then what few rows have. 'unique' is a
-- hash, kept as an index like the sets.
local function places(row)
  local state, seq, found = row[STATE], row[SEQ]
  if state == 'pending' then found = {state, order(row)}
  elseif state == 'running' then found = {state, row[WORKER], seq}
  elseif FINAL[state] then found = {state, row[FINISHED_AT], seq}
  else found = {state, row[RUN_AT], seq} end
  local n = 3
  if row[KEY_NAME] and row[WAITS] == 0
      and (state == 'pending' or state == 'running' or state == 'blocked') then
    local first, last = order(row)
    found[4], found[5] = 'key', 0
    found[6] = of_key(row[KEY_NAME], state) .. sortable(first) .. last
    n = 6
  end
  if row[EXPIRES_AT] and (state == 'pending' or state == 'blocked'
      or (state == 'scheduled' and not row[EXPIRES_IN])) then
    found[n + 1], found[n + 2], found[n + 3] = 'expiring', row[EXPIRES_AT], seq
    n = n + 3
  end
  if row[NEXT] then
    found[n + 1], found[n + 2] = 'child', 0
    found[n + 3] = 'n' .. number8(row[NEXT]) .. struct.pack('>I4', row[SLOT] or 0) .. number8(seq)
    n = n + 3
  end
  if row[SOURCE] then
    found[n + 1], found[n + 2] = 'child', 0
    found[n + 3] = 's' .. number8(row[SOURCE]) .. number8(seq)
    n = n + 3
  end
  if row[BATCH] then
    found[n + 1], found[n + 2], found[n + 3] = 'batch', row[BATCH], number8(seq)
    n = n + 3
  end
  if row[RESULT_TTL] and row[TAKEN] == 0 and FINAL[state] and state ~= 'dead' then
    found[n + 1], found[n + 2], found[n + 3] = 'ttl', row[FINISHED_AT] + row[RESULT_TTL], seq
    n = n + 3
  end
  if state == 'pending' and is_ahead(row) then
    found[n + 1], found[n + 2], found[n + 3] = 'ahead', found[2], found[3]
    n = n + 3
  end
  if row[UNIQUE_UNTIL] and holds(row) then
    found[n + 1], found[n + 2] = 'unique', seq
    found[n + 3] = row[TASK] .. '\0' .. row[UNIQUE_KEY]
  end
  return found
end

-- A row is stored as the list of its first columns, which ends where only defaults follow; behind
-- them stand those of the others that are no defaults, by their places. Older ones are longer lists.
local function unpacked(text)
  local row = cmsgpack.unpack(text)
  local more = row[RETRIES]
  if type(more) == 'table' then
    row[RETRIES] = nil
    for column, value in pairs(more) do row[column] = value end
  end
  return setmetatable(row, usual)
end

local function pack(row)
  local list, more = {row[SEQ], row[ID], row[TASK], row[STATE], row[PRIORITY], row[RUN_AT],
    row[ENQUEUED_AT], row[ATTEMPT], row[CLAIM], row[WORKER], row[CLAIMED_AT], row[PREVIEW],
    row[STARTED_AT], row[FINISHED_AT], row[TAKEN], row[REASON]}, nil
  for column, value in pairs(row) do
    if column > REASON and value ~= DEFAULT[column] then
      more = more or {}
      more[column] = value
    end
  end
  if more then list[RETRIES] = more
  else
    local last = REASON
    while list[last] == DEFAULT[last] do list[last], last = nil, last - 1 end
  end
  return cmsgpack.pack(list)
end

local function keep_before(row)
  if row[BATCH] then return end  -- it is born when its batch is in
  before[row[SEQ]] = {row[STATE], row[RUN_AT], row[ATTEMPT], row[WORKER]}
end

local function fetch(seqs)
  if #seqs == 0 then return end
  local texts = many('HMGET', 'row', seqs)
  for i = 1, #seqs do
    local seq = seqs[i]
    if held[seq] == nil then
      local row = texts[i] and unpacked(texts[i])
      held[seq] = row
      if row then
        was[seq], stood[seq] = places(row), row[STATE]
        if recording then keep_before(row) end
      end
    end
  end
end

-- A row by its number, the same table each time; false when there is none.
local function get(seq)
  if held[seq] == nil then fetch{seq} end
  return held[seq]
end

local function save(row)
  local seq, state = row[SEQ], row[STATE]
  local from = stood[seq] or ''
  if from ~= state then
    if not string.find(MOVES, ' ' .. from .. '>' .. state .. ' ', 1, true) then error('job ' .. seq .. ': ' .. from .. ' to ' .. state) end
    stood[seq] = state
  end
  if not dirty[seq] then
    dirty[seq], changed[#changed + 1], held[seq] = true, seq, row
    was[seq] = was[seq] or {}
  end
  if row[UNIQUE_KEY] then
    local name = row[TASK] .. '\0' .. row[UNIQUE_KEY]
    if holds(row) then holders[name] = seq elseif holders[name] == seq then holders[name] = false end
  end
end

local function set(name, field, value)
  local fields = writes[name]
  if not fields then fields = {} writes[name] = fields end
  fields[field] = value
end

local function del(name, field) set(name, field, false) end

-- A value as it will be after the next flush().
local function read(name, field)
  local value = writes[name] and writes[name][field]
  if value ~= nil then return value end
  return call('HGET', P .. name, field)
end

-- Which job has a unique key, false when none has.
local function holder(task, unique_key)
  local name = task .. '\0' .. unique_key
  if holders[name] == nil then
    local seq = tonumber(call('HGET', P .. 'unique', name) or nil)
    local row = seq and get(seq)
    holders[name] = row and holds(row) and seq or false
  end
  return holders[name]
end

local function job_of(id)
  local seq = read('id', id)
  return seq and get(tonumber(seq))
end

local function add(lists, name, one, other)
  local list = lists[name]
  if not list then list = {} lists[name] = list end
  list[#list + 1] = one
  if other then list[#list + 1] = other end
end

local function name_of(worker)
  local text = worker and call('HGET', P .. 'worker', worker)
  return text and cjson.decode(text).name
end

--#later eventlog: record

local function write_rows()
  local texts, gone, new = {}, {}, {}
  for n = 1, #changed do
    local seq = changed[n]
    local row = held[seq]
    local old, to = was[seq], row and places(row) or {}
    if row then
      if recording then eventlog().record(row) keep_before(row) end
      packed[seq] = pack(row)
      texts[#texts + 1], texts[#texts + 2] = seq, packed[seq]
    end
    for i = 1, math.max(#old, #to), 3 do
      local same = old[i] == to[i] and old[i + 2] == to[i + 2]
      if old[i] and not same then add(gone, old[i], old[i + 2]) end
      if to[i] and not (same and old[i + 1] == to[i + 1]) then
        if to[i] == 'unique' then add(new, 'unique', to[i + 2], to[i + 1])
        else add(new, to[i], to[i + 1], to[i + 2]) end
      end
    end
    was[seq] = to
  end
  each('HSET', 'row', texts)
  for name, list in pairs(gone) do each(name == 'unique' and 'HDEL' or 'ZREM', name, list) end
  for name, list in pairs(new) do each(name == 'unique' and 'HSET' or 'ZADD', name, list) end
  dirty, changed = {}, {}
end

local function write_values()
  for name, fields in pairs(writes) do
    local new, gone = {}, {}
    for field, value in pairs(fields) do
      if value then new[#new + 1], new[#new + 2] = field, value else gone[#gone + 1] = field end
    end
    each('HSET', name, new)
    each('HDEL', name, gone)
  end
  writes = {}
end

-- Once in each script that writes: whoever waits for news looks at this number.
local wrote = false
local function note_write()
  if not wrote then
    wrote = true
    call('HINCRBY', P .. 'queue', 'version', 1)
  end
end

local function flush()
  if #changed == 0 and not next(writes) then return end
  if #changed > 0 then write_rows() end
  write_values()
  note_write()
end

-- Wake the consumers. After the last flush().
local function ring() call('PUBLISH', P .. 'bell', '1') end

local function numbers(members)  -- of members that end with them
  for i = 1, #members do members[i] = struct.unpack('>I8', members[i], #members[i] - 7) end
  return members
end

local function integers(texts)
  for i = 1, #texts do texts[i] = tonumber(texts[i]) end
  return texts
end

local function touch(row) if row[KEY_NAME] then touched[row[KEY_NAME]] = true end end

-- The state of a row that waits for no other (rest.py: state).
local function rest(run_at, key_name)
  return run_at > now and 'scheduled' or key_name and 'blocked' or 'pending'
end

-- Delete a row with everything that other keys say of it.
local function remove(row)
  local seq = row[SEQ]
  if not dirty[seq] then dirty[seq], changed[#changed + 1] = true, seq end
  was[seq], held[seq], stood[seq] = was[seq] or {}, false, nil
  if row[UNIQUE_KEY] then
    local name = row[TASK] .. '\0' .. row[UNIQUE_KEY]
    if holders[name] == seq then holders[name] = false end
  end
  if tonumber(read('id', row[ID]) or nil) == seq then del('id', row[ID]) end
  for _, name in ipairs{'row', 'payload', 'result', 'error', 'said', 'handler', 'ticket'} do
    del(name, seq)
  end
  if row[INPUTS] > 0 then
    local given = call('HGET', P .. 'input', seq)
    for _, one in ipairs(given and cmsgpack.unpack(given) or {}) do
      if one[2] == 0 then call('ZREM', P .. 'child', 'i' .. one[3] .. '\0' .. number8(seq)) end
    end
    del('input', seq)
  end
  local lines = call('HGET', P .. 'log', seq)
  if lines then
    local first, last = string.match(lines, '(%d+) (%d+)')
    for line = tonumber(first), tonumber(last) do del('log', seq .. ':' .. line) end
    del('log', seq)
  end
end
