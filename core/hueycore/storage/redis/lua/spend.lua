#!lua flags=allow-oom
--#include rates
-- Take the next slot of a rate. arg: name, rate, job (seq and claim). Answers nothing when it is now,
-- else its time. A refused job is promised that slot.
local row = arg.job and get(arg.job[1])
if row and (row[CLAIM] ~= arg.job[2] or row[STATE] ~= 'running') then row = false end
local text = row and call('HGET', P .. 'ticket', row[SEQ])
local tickets = row and (text and cmsgpack.unpack(text) or {})
local name, rate = arg.name, arg.rate
local promised = tickets and tickets[name]
local function exact(at) return string.format('%.17g', at) end
local function keep()
  set('ticket', row[SEQ], next(tickets) ~= nil and cmsgpack.pack(tickets))
end
if promised then
  if promised > now then return exact(promised) end
  tickets[name] = nil
  keep()
  flush()
  return false
end
local tat = tat_of(name)
local slot = slot_of(rate, tat)
if slot > now and not tickets then
  flush()
  return exact(slot)
end
set_tat(name, tat_after(rate, tat))
if slot > now then
  tickets[name] = slot
  keep()
end
flush()
return slot > now and exact(slot) or false
