--#include keys follow metrics
--#later rare: add_error failure unreadable handler_of call_handler write_notes
-- What became of runs, written (endings.py). Each ending is fenced by its claim: a run that was taken
-- away from its worker cannot end the job any more.
local STOP, INTERRUPT, OVERDUE = 1, 2, 3

-- A rare column is written where it holds something: a new field of a Lua table takes its time.
local function clear(row, column) if row[column] ~= 0 then row[column] = 0 end end

local function leave(row)
  row[WORKER], row[CLAIMED_AT] = false, false
  clear(row, CANCEL_REQUESTED)
end

-- One that was unique until its start may find its key taken: then it waits beside that job.
local function give_way_back(row)
  if row[UNIQUE_UNTIL] == 'start' and (holder(row[TASK], row[UNIQUE_KEY]) or row[SEQ]) ~= row[SEQ] then
    row[UNIQUE_UNTIL] = false
  end
end

-- Waiting rows become final without a run; their followers learn of it.
local function end_waiting(rows, state, reason)
  for i = 1, #rows do
    local row = rows[i]
    touch(row)
    row[STATE], row[REASON], row[FINISHED_AT] = state, reason, now
    save(row)
  end
  follow(rows, false)
end

local function store(row, result, taken)
  if result then
    row[TAKEN] = taken
    set('result', row[SEQ], result)
  else row[TAKEN] = false end
end

local function bytes(place) return place and place > 0 and ARGV[2 + place] or nil end

-- The row of a run whose claim stands.
local function won(seq, claim)
  local row = get(seq)
  return row and row[CLAIM] == claim and row[STATE] == 'running' and row
end

-- Whether this very ending is written already.
local function was_done(one)
  local row = get(one[1])
  return type(one[7]) == 'number' and row and row[CLAIM] == one[2] and row[STATE] == 'done'
    and one[3] and row[FINISHED_AT] == one[3] + one[4]
end

local done = {}  -- stages whose followers are yet to be told

local function end_done(row, one, result, private)
  row[STATE], row[REASON] = 'done', false
  row[STARTED_AT] = one[3] or now
  row[FINISHED_AT] = row[STARTED_AT] + one[4]
  leave(row)
  clear(row, SUSPECT)
  store(row, bytes(result), private == 1 and 1 or 0)
  save(row)
  tally(row, 'done', one[3], one[4], one[5], one[6])
  if row[NEXT] or row[INPUTS] > 0 then done[#done + 1] = row end
end

-- Write what follows from runs that are done.
local function go_on()
  local stages = {}
  for _, row in ipairs(done) do if row[NEXT] then stages[#stages + 1] = row end end
  follow(stages, true)
  for _, row in ipairs(done) do if row[INPUTS] > 0 then forget(row) end end
  done = {}
end

local function finish(row, one, ending)
  local kind = ending.kind
  row[STATE], row[REASON], row[FINISHED_AT] = kind, ending.reason or false, now
  if one[3] then row[STARTED_AT] = one[3]
  elseif kind ~= 'dead' then row[ATTEMPT] = row[ATTEMPT] - 1 end
  leave(row)
  store(row, bytes(ending.result), 0)
  save(row)
  follow({row}, false)
  if kind == 'dead' or (kind == 'revoked' and ending.cause) then rare().call_handler(row, bytes(ending.cause)) end
end

local function put_back(row, one, ending)
  local kind, again = ending.kind, nil
  local state, delay, uncounted = rest(0, row[KEY_NAME]), 0, 1
  if kind == 'retry' then
    row[RUN_AT] = ending.run_at or now
    -- Though that may be over by now: its signals say so, and "enqueued" is to follow.
    if ending.run_at then state = 'scheduled' end
    again = math.max(row[RUN_AT], now)
    row[RETRIES], row[RETRY_DELAY] = ending.retries, ending.retry_delay
    uncounted, delay = 0, ending.delay
  elseif kind == 'snoozed' then
    state, row[RUN_AT], delay = 'scheduled', ending.run_at, ending.delay
    again = math.max(ending.run_at, now)
  elseif kind == 'blocked' then
    row[KEY_NAME] = ending.key
    state = 'blocked'
    touch(row)
  end
  row[STATE], row[DELAY], row[ATTEMPT] = state, delay, row[ATTEMPT] - uncounted
  if again and row[EXPIRES_IN] then row[EXPIRES_AT] = again + row[EXPIRES_IN] end
  if one[3] then row[STARTED_AT] = one[3] end
  leave(row)
  give_way_back(row)
  save(row)
end

-- Whether the job would run again, or has died of being stopped.
local function gives_back(ending)
  if ending.kind == 'dead' then return ending.reason == 'interrupted' end
  return ending.kind ~= 'revoked' and ending.kind ~= 'expired'
end

-- The ending of a job whose own cannot be written.
local function unwritable(row, one, ending, why)
  local text = 'the ending ' .. ending.kind .. ' cannot be written: ' .. why
  rare().add_error(row, rare().failure(row, 'Unwritable', text, name_of(row[WORKER]) or '', one[4], true))
  local _, unread = rare().handler_of(row)
  if unread then del('handler', row[SEQ]) end
  return {kind = 'dead', reason = 'unwritable'}
end

-- Write an ending; 'lost', 'stopped' when it became another one, or why it could not be written.
-- one: seq, claim, started_at, run_s, buckets of run and wait, ending; the ending of a run that is
-- done is the place of its result, and whether that is private.
local function ended(one)
  local ending = one[7]
  local row = won(one[1], one[2])
  if not row then return was_done(one) and 'known' or 'lost' end
  touch(row)
  if type(ending) == 'number' then return end_done(row, one, ending, one[8]) end
  if ending.said then rare().write_notes(row, ending.said) end
  if ending.kind == 'done' then return end_done(row, one, ending.result, ending.private) end
  local asked, outcome, _ = row[CANCEL_REQUESTED], nil, nil
  local why = ending.fault and rare().unreadable(row)
  if why then ending, outcome = unwritable(row, one, ending, why), why
  elseif ending.fault then rare().add_error(row, ending.fault) end
  if (asked == STOP or asked == INTERRUPT) and gives_back(ending) then
    ending, outcome = {kind = 'revoked', reason = 'revoked'}, 'stopped'
  end
  if ending.kind == 'dead' or (ending.kind == 'revoked' and ending.cause) then
    _, why = rare().handler_of(row)
    if why then ending, outcome = unwritable(row, one, ending, why), why end
  end
  clear(row, SUSPECT)
  if ending.kind == 'dead' or ending.kind == 'revoked' or ending.kind == 'expired' then
    finish(row, one, ending)
  else put_back(row, one, ending) end
  tally(row, ending.kind, one[3], one[4], one[5], one[6])
  return outcome
end

-- Endings of an exchange. Answers the places (from 0) of those that were lost or stopped, and of
-- those that could not be written, each followed by why.
local function apply_endings(endings)
  local seqs, lost, stopped, bad = {}, {}, {}, {}
  for i = 1, #endings do seqs[i] = endings[i][1] end
  fetch(seqs)
  for i = 1, #endings do
    local outcome = ended(endings[i])
    if outcome == 'lost' then lost[#lost + 1] = i - 1
    elseif outcome == 'stopped' then stopped[#stopped + 1] = i - 1
    elseif outcome and outcome ~= 'known' then bad[#bad + 1] = i - 1 bad[#bad + 1] = outcome end
  end
  go_on()
  write_tallies()
  return lost, stopped, bad
end
