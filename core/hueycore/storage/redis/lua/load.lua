#!lua
--#include births endings queue sign
-- Bring jobs in (arrival.py). arg: cargo, lists of row, errors, progress, whether it has a result,
-- inputs, log lines, handler, group; if_exists, pending, mark (dump and text), operator. The row has
-- the numbers of where it comes from. For each a payload, a result, and the results of its inputs.
local answer, loaded, at = {}, {}, 2
local COMING, ERRORS, SAID, HAS_RESULT, GIVEN, LINES, HANDLER, GROUP = 1, 2, 3, 4, 5, 6, 7, 8
local cargo = arg.cargo
for _, one in ipairs(cargo) do
  one.row, one.payload, one.result = setmetatable(one[COMING], usual), ARGV[at + 1], ARGV[at + 2]
  if not one[HAS_RESULT] then one.result = nil end
  for k, input in ipairs(one[GIVEN]) do
    if input[5] then input[5] = ARGV[at + 2 + k] end
  end
  at = at + 2 + #one[GIVEN]
  one.group = one[GROUP] ~= 0 and one[GROUP] or nil
  one.lives = arg.pending or not FINAL[one.row[STATE]]
end

local function in_need(row)
  return not FINAL[row[STATE]] or (row[STATE] ~= 'done' and row[WAITS] == 0)
end

-- Refuse what exists, or delete it where it is to be replaced.
local function make_room(piece)
  local replaced, barred = {}, {}
  for _, one in ipairs(piece) do
    one.old = job_of(one.row[ID]) or nil
    if one.old then replaced[one.old[SEQ]] = true end
  end
  for _, one in ipairs(piece) do
    local stays = one.old and (arg.if_exists ~= 'replace' or one.old[STATE] == 'running')
    for _, child in ipairs(one.old and not stays and children_of(one.old) or {}) do
      stays = stays or (not replaced[child[SEQ]] and in_need(child))
    end
    one.stays = stays
    if stays and one.group then barred[one.group] = true end
  end
  for _, one in ipairs(piece) do
    if one.stays or (one.group and barred[one.group]) then
      one.refused = {one.old and one.old[SEQ] or 0, 'exists'}
    elseif one.old then
      touch(one.old)
      remove(one.old)
    end
  end
end

-- Of those that would wait beside another one of their unique key; stages wait there, unique no more.
local function refuse_doubles(piece)
  local taken = {}
  for _, one in ipairs(piece) do
    local row = one.row
    if not one.refused and row[UNIQUE_UNTIL] and one.lives then
      local name = row[TASK] .. '\0' .. row[UNIQUE_KEY]
      local lets_go = row[STATE] == 'running' and row[UNIQUE_UNTIL] == 'start'
      if not taken[name] and not holder(row[TASK], row[UNIQUE_KEY]) and not lets_go then taken[name] = true
      elseif one.group or lets_go then one.free = true
      else one.refused = {0, 'duplicate'} end
    end
  end
end

-- Who waits, or has waited, for whom.
local function tie(piece)
  local places = {}
  local function place(one, seq) return one.group and seq and places[one.group .. ' ' .. seq] end
  for _, one in ipairs(piece) do
    one.parents = {}
    if one.group and not one.refused then places[one.group .. ' ' .. one.row[SEQ]] = one end
  end
  for _, one in ipairs(piece) do
    if not one.refused then
      one.child, one.source = place(one, one.row[NEXT]), place(one, one.row[SOURCE])
      if one.child then one.child.parents[#one.child.parents + 1], one.tied = one, true end
      if one.source then one.parents[#one.parents + 1] = one.source end
    end
  end
end

-- How a job waits here.
local function settle_down(row, waits)
  local state = row[STATE]
  if state == 'running' and row[CANCEL_REQUESTED] > 0 and not arg.pending then
    row[STATE], row[REASON], row[FINISHED_AT] = 'revoked', 'revoked', now
    return
  end
  if not arg.pending and state ~= 'running' then
    if waits > 0 then row[STATE] = 'blocked'
    elseif state ~= 'scheduled' then row[STATE] = rest(0, row[KEY_NAME]) end
    return
  end
  row[STATE], row[RUN_AT] = waits > 0 and 'blocked' or rest(0, row[KEY_NAME]), now
  row[FINISHED_AT], row[TAKEN], row[REASON] = false, false, false
  if arg.pending then row[CRASHES] = 0 end
  if row[EXPIRES_IN] then row[EXPIRES_AT] = waits == 0 and now + row[EXPIRES_IN]
  elseif row[EXPIRES_AT] and row[EXPIRES_AT] <= now then row[EXPIRES_AT] = false end
end

local ended_here = {}
local function complete(one)
  local row, waits, was_taken = one.row, 0, one.row[TAKEN]
  for _, parent in ipairs(one.parents) do
    if parent.delivered == 0 then waits = waits + 1 end
  end
  if one.lives then
    settle_down(row, waits)
    if #one[GIVEN] + #one.parents < row[INPUTS] or waits < row[WAITS] then
      row[STATE], row[REASON], row[FINISHED_AT] = 'revoked', 'upstream', now
    end
  end
  local final = FINAL[row[STATE]]
  if final and one.lives then ended_here[#ended_here + 1] = row end
  row[TAKEN] = final and one.result and was_taken ~= 1 and 0 or (final and was_taken == 1 and 1) or false
  row[NEXT] = one.child and one.child.seq or false
  row[SOURCE] = one.source and one.source.seq or false
  row[SLOT] = one.tied and row[SLOT]
  row[DELIVERED] = one.tied and one.delivered or 0
  row[WAITS], row[CANCEL_REQUESTED], row[WORKER], row[CLAIMED_AT] = waits, 0, false, false
  if one.free then row[UNIQUE_UNTIL] = false end
end

local function write(one)
  local row = one.row
  local seq = row[SEQ]
  set('id', row[ID], seq)
  set('payload', seq, one.payload)
  if one[ERRORS] then set('error', seq, one[ERRORS]) end
  if one[SAID] then set('said', seq, one[SAID]) end
  if one[HANDLER] then set('handler', seq, one[HANDLER]) end
  if one.result and (row[TAKEN] == 0 or (row[NEXT] and row[DELIVERED] > 0)) then
    set('result', seq, one.result)
  end
  if #one[LINES] > 0 then
    for line, text in ipairs(one[LINES]) do set('log', seq .. ':' .. line, text) end
    set('log', seq, '1 ' .. #one[LINES])
  end
  keep_inputs(row, one[GIVEN])
  stood[seq] = row[STATE]
  save(row)
  touch(row)
  loaded[#loaded + 1] = row
end

-- Jobs of different ids.
local function bring_in(piece)
  make_room(piece)
  refuse_doubles(piece)
  tie(piece)
  local coming = {}
  for _, one in ipairs(piece) do
    if not one.refused then
      coming[#coming + 1] = one
      one.seq = (tonumber(read('queue', 'seq') or nil) or 0) + 1
      set('queue', 'seq', one.seq)
      one.delivered = one.row[DELIVERED]
    end
  end
  for _, one in ipairs(coming) do complete(one) end
  for _, one in ipairs(coming) do
    one.row[SEQ] = one.seq
    write(one)
  end
  for _, one in ipairs(piece) do answer[#answer + 1] = one.refused or {one.seq, 'loaded'} end
end

if #cargo > 0 then describe_queue() end
local piece, ids = {}, {}
for _, one in ipairs(cargo) do
  if ids[one.row[ID]] then
    bring_in(piece)
    piece, ids = {}, {}
  end
  ids[one.row[ID]] = true
  piece[#piece + 1] = one
end
bring_in(piece)
if arg.mark then set('mark', arg.mark[1], arg.mark[2]) end
flush()
follow(ended_here, false)
settle_touched()
sign('load', loaded)
ring()
return answer
