--#include births failures
-- Error handlers: jobs that are born when another one fails for good (handlers.py). Until then they
-- are text beside the job.
local OID = '\107\167\184\18\157\173\17\209\128\180\0\192\79\212\48\200'

-- An id that follows from a run and a place: a UUID of version 5.
local function id_from(text)
  local hex = redis.sha1hex(OID .. text)
  local variant = string.sub('89ab', tonumber(string.sub(hex, 17, 17), 16) % 4 + 1)
  return string.sub(hex, 1, 8) .. '-' .. string.sub(hex, 9, 12) .. '-5' .. string.sub(hex, 14, 16)
    .. '-' .. string.sub(variant, 1, 1) .. string.sub(hex, 18, 20) .. '-' .. string.sub(hex, 21, 32)
end

local function from_hex(text)
  return (string.gsub(text, '..', function(pair) return string.char(tonumber(pair, 16)) end))
end

-- A job of a packed batch (model/pack.py) as a row.
local PLACE = BY_NAME
local function to_row(job)
  local row = setmetatable({}, usual)
  for name, value in pairs(job) do
    if value ~= cjson.null and PLACE[name] then
      row[PLACE[name]] = value == true and 1 or value == false and 0 or value
    end
  end
  row[ON_CONFLICT] = job.on_conflict == 'replace' and 'replace' or 'keep'
  return row
end

-- What is to be called because this job fails, as its batch; nil when there is nothing, and second
-- why it cannot be read.
local function handler_of(row)
  local text = read('handler', row[SEQ])
  if not text then return nil end
  local fine, batch = pcall(cjson.decode, text)
  if not fine or type(batch) ~= 'table' or type(batch.jobs) ~= 'table' then
    return nil, 'ValueError: its error handler cannot be read'
  end
  return batch
end

local function call_handler(row, cause)
  local batch = handler_of(row)
  if not batch then return end
  local run, ids, taken = row[ID] .. '/' .. row[SEQ] .. '/' .. row[CLAIM], {}, false
  for i = 1, #batch.jobs do
    ids[i] = id_from(run .. '/' .. (i - 1))
    taken = taken or read('id', ids[i])
  end
  local payloads = {}
  for i = 1, #batch.jobs do
    payloads[i] = from_hex(batch.jobs[i].payload)
    batch.jobs[i] = to_row(batch.jobs[i])
    batch.jobs[i][ID] = taken and id_from(run .. '/' .. (i - 1) .. '/' .. string.format('%.17g', now)) or ids[i]
  end
  local first = batch.jobs[1]
  for _, pair in ipairs(batch.delays) do
    if pair[1] == 0 then first[RUN_AT], first[DELAY] = now + pair[2], pair[2] end
  end
  for _, pair in ipairs(batch.expiries) do
    if pair[1] == 0 then first[EXPIRES_IN] = pair[2] end
  end
  local answer = insert_jobs(batch.jobs, payloads)
  for i = 1, #answer do
    if not answer[i][2] then
      -- One that must be the only one of its kind waits already: what it stands for will be done.
      for k = 1, #answer do if answer[k][2] then remove(answer[k][1]) end end
      return
    end
  end
  join(answer, batch)
  local lines = errors_of(row)
  local called = answer[1][1]
  keep_inputs(called, {{0, 0, row[ID], 'dead', cause or false, lines[#lines] or false}})
  called[INPUTS] = 1
  save(called)
end
