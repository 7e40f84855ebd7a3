--#include rows keys follow
-- Jobs are born (enqueue.py, unique.py, stages.py). A job is a row without number, state and times;
-- behind its columns may stand what happens when its unique key is taken.
local refusal
local ON_CONFLICT = #DEFAULT + 1

local function refuse(word, text)
  refusal = 'HUEY ' .. word .. ' ' .. text
  return nil
end

local function begins(row)
  local at = row[RUN_AT]
  if not at or at <= now then at = now end
  row[RUN_AT] = at
  if row[EXPIRES_IN] then row[EXPIRES_AT] = at + row[EXPIRES_IN] end
  return at
end

-- A waiting job becomes another call, and keeps its number, id and edges.
local function replace(row, job, payload)
  touch(row)
  local waits, delay = row[WAITS] > 0, row[DELAY]
  begins(job)
  for _, column in ipairs{RUN_AT, DELAY, PRIORITY, EXPIRES_AT, EXPIRES_IN, SCHEDULED_FOR, KEY_NAME,
      RETRIES, RETRY_DELAY, RETRY_BACKOFF, TIMEOUT, MAX_CRASHES, AT_MOST_ONCE, RESULT_TTL,
      UNIQUE_UNTIL, PREVIEW} do
    row[column] = job[column]
  end
  if waits then
    row[DELAY] = delay
    if row[EXPIRES_IN] then row[EXPIRES_AT] = false end
  else row[STATE] = rest(row[RUN_AT], row[KEY_NAME]) end
  row[ATTEMPT], row[CRASHES], row[REASON], row[RAN_BY] = 0, 0, false, false
  del('ticket', row[SEQ])
  del('said', row[SEQ])
  del('error', row[SEQ])
  set('payload', row[SEQ], payload)
  save(row)
  touch(row)
end

-- The job that stands for a new one whose key is taken; nil when the new one is to be born.
local function give_way(job, payload)
  local seq = holder(job[TASK], job[UNIQUE_KEY])
  if not seq then return nil end
  local row, how = get(seq), job[ON_CONFLICT]
  if how == 'fail' then
    refuse('DUPLICATE', cjson.encode{id = row[ID], task = row[TASK], key = job[UNIQUE_KEY]})
    return nil
  end
  if how == 'replace' then
    if row[STATE] == 'running' then  -- it has read its arguments, and passes the key on
      row[UNIQUE_UNTIL] = false
      save(row)
      holders[job[TASK] .. '\0' .. job[UNIQUE_KEY]] = false
      return nil
    end
    replace(row, job, payload)
  end
  return row
end

-- Let jobs into the queue; what stands for each, as {row, fresh}. nil when it was refused.
local function insert_jobs(jobs, payloads)
  local answer, ids = {}, {}
  for i = 1, #jobs do ids[i] = jobs[i][ID] end
  local seqs, known, new = many('HMGET', 'id', ids), {}, {}
  for i = 1, #jobs do if seqs[i] then known[#known + 1] = tonumber(seqs[i]) end end
  fetch(known)
  for i = 1, #jobs do
    local job = setmetatable(jobs[i], usual)
    local old = new[ids[i]] or (seqs[i] and get(tonumber(seqs[i]))) or nil
    if old and not new[ids[i]] and FINAL[old[STATE]] and not needed(old) then
      answer[i] = {old, true}  -- an older life of this id: it leaves, unless the new one is not born
    elseif old then answer[i] = {old, false} end
    if not answer[i] or answer[i][2] then
      local other = job[UNIQUE_UNTIL] and give_way(job, payloads[i])
      if refusal then return nil end
      if other then answer[i] = {other, false}
      else
        if old then remove(old) end
        local seq = (tonumber(read('queue', 'seq') or nil) or 0) + 1
        set('queue', 'seq', seq)
        rawset(job, ON_CONFLICT, nil)
        job[STATE] = rest(begins(job), job[KEY_NAME])
        job[ENQUEUED_AT], job[SEQ] = now, seq
        set('id', job[ID], seq)
        set('payload', seq, payloads[i])
        save(job)
        touch(job)
        new[ids[i]] = job
        answer[i] = {job, true}
      end
    end
  end
  return answer
end

-- Tie jobs that were inserted just now together: those with a parent wait for it. plan: edges as
-- lists parent, child, slot; delays, expiries and handlers as lists of pairs. Places begin at 0.
local function join(answer, plan)
  local fresh = 0
  for i = 1, #answer do if answer[i][2] then fresh = fresh + 1 end end
  if fresh == 0 then return answer end
  if fresh < #answer then
    for i = 1, #answer do
      local row = answer[i][1]
      if not answer[i][2] then return refuse('STAGE', row[ID] .. ' ' .. row[SEQ] .. ' ' .. row[STATE]) end
    end
  end
  local waits, tied, delays, expiries = {}, {}, {}, {}
  for _, pair in ipairs(plan.delays) do delays[pair[1]] = pair[2] end
  for _, pair in ipairs(plan.expiries) do expiries[pair[1]] = pair[2] end
  for _, edge in ipairs(plan.edges) do
    local parent, child = answer[edge[1] + 1][1], answer[edge[2] + 1][1]
    if not tied[edge[1]] then
      tied[edge[1]] = true
      parent[NEXT], parent[SLOT] = child[SEQ], edge[3] ~= cjson.null and edge[3] or false
      save(parent)
    else child[SOURCE] = parent[SEQ] end
    waits[edge[2]] = (waits[edge[2]] or 0) + 1
  end
  for place, number in pairs(waits) do
    local row = answer[place + 1][1]
    row[STATE], row[INPUTS], row[WAITS], row[DELAY] = 'blocked', number, number, delays[place] or 0
    if row[EXPIRES_IN] then row[EXPIRES_AT] = false end
    row[EXPIRES_IN] = expiries[place] or row[EXPIRES_IN]
    save(row)
  end
  for _, pair in ipairs(plan.handlers) do set('handler', answer[pair[1] + 1][1][SEQ], pair[2]) end
  return answer
end

-- Give a job what no parent's row can give it: a list of slot, listed, id, state, result, error.
local function keep_inputs(row, given)
  if #given == 0 then return end
  set('input', row[SEQ], cmsgpack.pack(given))
  for _, one in ipairs(given) do
    if one[2] == 0 then call('ZADD', P .. 'child', 0, 'i' .. one[3] .. '\0' .. number8(row[SEQ])) end
  end
end

local function described(answer)
  local found = {}
  for i = 1, #answer do
    local row = answer[i][1]
    found[i] = {row[SEQ], row[ID], row[STATE], answer[i][2] and 1 or 0}
  end
  return found
end

local function count_arrivals(answer)
  local minute = math.floor(now / 60)
  for i = 1, #answer do
    if answer[i][2] then
      call('HSETNX', P .. 'arrival', minute, answer[i][1][SEQ])
      return
    end
  end
end
