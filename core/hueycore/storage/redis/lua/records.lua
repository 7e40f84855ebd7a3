#!lua
--#include strand queue periodic
-- Bring in what a queue has besides jobs (records.py). arg: records, lists of kind, name, fields;
-- replace. For each some bytes. Answers the outcomes.
local outcomes = {}
local HASH = {limit = 'limit', value = 'value', periodic = 'periodic', rate = 'rate'}

local function describe(fields)
  local known = read('queue', 'created_at')
  local paused = read('queue', 'paused_at')
  describe_queue()
  if fields.serializer and not read('queue', 'serializer') then set('queue', 'serializer', fields.serializer) end
  local created = fields.created_at
  if created and created < tonumber(read('queue', 'created_at')) then
    set('queue', 'created_at', string.format('%.17g', created))
  end
  if fields.events then set('queue', 'events', '1') end
  if paused or not fields.paused_at then return known and 'exists' or 'loaded' end
  set('queue', 'paused_at', string.format('%.17g', fields.paused_at))
  set('queue', 'paused_until', fields.paused_until and string.format('%.17g', fields.paused_until) or false)
  set('queue', 'paused_by', fields.paused_by or false)
  set('queue', 'pause_reason', fields.pause_reason or false)
  return 'loaded'
end

local function bring_one(kind, name, fields, data)
  local ends = fields['until'] or fields.expires_at
  if kind == 'lock' or (ends and ends <= now) then return 'left' end
  if kind == 'queue' then return describe(fields) end
  local hash, field = HASH[kind] or 'flag', name
  if kind == 'revoked-id' then hash = 'banned' elseif hash == 'flag' then field = kind .. ' ' .. name end
  if kind == 'counter' then hash, field = 'counter', 'n' .. name end
  if read(hash, field) and not arg.replace then return 'exists' end
  if kind == 'counter' then
    set('counter', 't' .. name, string.format('%.17g', fields.created_at))
    set('counter', field, fields.number)
  elseif kind == 'value' then
    set('value', name, struct.pack('>dd', ends or 0, fields.created_at) .. data)
    if ends then call('ZADD', P .. 'lapsing', ends, name) end
  elseif kind == 'rate' then
    set('rate', name, struct.pack('>dd', fields.tat, fields.seen))
    touched[name] = true
  elseif kind == 'periodic' then
    local one = fields.row
    one[PAYLOAD] = data
    save_schedule(one)
  else
    set(hash, field, fields.text)
    if kind == 'paused-task' then
      for _, key_name in ipairs(blocked_keys()) do touched[key_name] = true end
    end
  end
  return 'loaded'
end

for i, one in ipairs(arg.records) do outcomes[i] = bring_one(one[1], one[2], one[3], ARGV[2 + i]) end
settle_touched()
ring()
return outcomes
