--#include rows
-- What follows from a stage that is over: the edge 'next' leads to the job that waits for it
-- (edges.py). delivered: 1 a result, 2 that it is None, 3 that there will be none.
local function between(start) return call('ZRANGEBYLEX', P .. 'child', '[' .. start, '(' .. start .. string.rep('\255', 13)) end

-- The jobs that wait, or waited, for this one: all, or so many from one on (0: the first).
local function children_of(row, most, from)
  local found = {}
  if not row[NEXT] then return found end
  local first, start = get(row[NEXT]), 's' .. number8(row[SEQ])
  if first and (from or 0) == 0 then found[1] = first end
  local seqs = numbers(call('ZRANGEBYLEX', P .. 'child', '[' .. start .. number8(from or 0),
    '(' .. start .. string.rep('\255', 13), 'LIMIT', 0, most or -1))
  fetch(seqs)
  for i = 1, #seqs do
    local other = get(seqs[i])
    if other and other ~= first then found[#found + 1] = other end
  end
  return found
end

-- The jobs that this one waits, or waited, for, in the order of their slots.
local function parents_of(row)
  local found = {}
  for _, seq in ipairs(numbers(between('n' .. number8(row[SEQ])))) do found[#found + 1] = get(seq) end
  local source = row[SOURCE] and get(row[SOURCE])
  if source and source[NEXT] ~= row[SEQ] then found[#found + 1] = source end
  return found
end

-- True of a row whose result a job has yet to read: one that waits, or that may run again.
local function needed(row)
  for _, child in ipairs(children_of(row)) do
    if not FINAL[child[STATE]] or (child[STATE] ~= 'done' and child[WAITS] == 0) then return true end
  end
  return false
end

local function expire_from(row, at)
  if row[EXPIRES_IN] then row[EXPIRES_AT] = at + row[EXPIRES_IN] end
end

-- One that waits for no parent any more is ready, now or after its delay.
local function ready(row)
  if row[STATE] ~= 'blocked' or row[WAITS] > 0 then return end
  local at = now + row[DELAY]
  local own = row[RUN_AT] > row[ENQUEUED_AT] and row[RUN_AT] or 0  -- a time of its own (eta)
  if own > at then at = own row[DELAY] = 0 end
  row[RUN_AT], row[STATE] = at, rest(at, row[KEY_NAME])
  expire_from(row, at)
  save(row)
  touch(row)
end

local function deliver(row, failed)
  row[DELIVERED] = failed and 3 or (row[TAKEN] == false and 2 or 1)
  save(row)
  for _, child in ipairs(children_of(row)) do
    if child[WAITS] > 0 then
      child[WAITS] = child[WAITS] - 1
      save(child)
      ready(child)
    end
  end
end

local revoked_here, owed_from = 0, {}

-- Revoke the jobs that waited for this one; adds them to a list. A script does so many: from which one
-- on it is to go on stands in 'owed', for the janitor.
local function revoke_children(row, following)
  local from = owed_from[row[SEQ]] or 0
  local page = revoked_here < PORTION and children_of(row, PORTION, from) or {false}
  for place, child in ipairs(page) do
    if place == PORTION or revoked_here == PORTION then
      set('owed', row[SEQ], place == 1 and from or child[SEQ])
      return
    end
    if child[STATE] == 'blocked' then
      child[STATE], child[REASON], child[FINISHED_AT] = 'revoked', 'upstream', now
      save(child)
      touch(child)
      following[#following + 1], revoked_here = child, revoked_here + 1
    end
  end
  if owed_from[row[SEQ]] then del('owed', row[SEQ]) end
end

-- Tell the followers of final jobs. A result, or any end of a chord's member (it has a slot), counts
-- down what the follower waits for, once for ever. Any other end revokes the follower.
local function follow(rows, delivered)
  local todo = rows
  while #todo > 0 do
    local following = {}
    for i = 1, #todo do
      local row = todo[i]
      if row[NEXT] and row[DELIVERED] == 0 then
        if delivered or row[SLOT] then deliver(row, not delivered)
        else revoke_children(row, following) end
      end
    end
    todo, delivered = following, false
  end
end

-- This job runs again: what was revoked because of its end waits for it again.
local function revive(rows)
  local todo, found = rows, {}
  while #todo > 0 do
    local row = table.remove(todo)
    if row[NEXT] and row[DELIVERED] == 0 then
      for _, child in ipairs(children_of(row)) do
        if child[STATE] == 'revoked' and child[REASON] == 'upstream' and child[WAITS] > 0 then
          found[#found + 1] = child
          child[STATE], child[REASON], child[FINISHED_AT] = 'blocked', false, false
          if child[EXPIRES_AT] and child[EXPIRES_AT] <= now then child[EXPIRES_AT] = false end
          if child[UNIQUE_UNTIL] and (holder(child[TASK], child[UNIQUE_KEY]) or child[SEQ]) ~= child[SEQ] then
            child[UNIQUE_UNTIL] = false  -- another has its key by now: it waits beside that one
          end
          save(child)
          todo[#todo + 1] = child
        end
      end
    end
  end
end

-- This stage is done: results that only it had yet to read go.
local function forget(row)
  for _, parent in ipairs(parents_of(row)) do
    if parent[TAKEN] == 1 and not needed(parent) then del('result', parent[SEQ]) end
  end
end
