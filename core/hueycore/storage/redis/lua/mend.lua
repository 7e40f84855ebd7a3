#!lua flags=allow-oom
--#include strand
-- Let go what a key blocks without need; answers the keys where that was so. Bring back the rates
-- that a clock which was set back has moved out of reach, and forget those that are at rest.
local sooner = {}
local flat = call('HGETALL', P .. 'rate')
for i = 1, #flat, 2 do
  local tat, seen = struct.unpack('>dd', flat[i + 1])
  if seen > now then
    sooner[flat[i]] = seen - now
    tat_of(flat[i])
    touched[flat[i]] = true
  elseif tat <= now then del('rate', flat[i]) end
end
if next(sooner) then
  -- The slots of rates that jobs were promised come so many seconds earlier.
  local tickets = call('HGETALL', P .. 'ticket')
  for i = 1, #tickets, 2 do
    local row, promised, by = get(tonumber(tickets[i])), cmsgpack.unpack(tickets[i + 1]), 0
    for name, at in pairs(promised) do
      if sooner[name] then promised[name], by = at - sooner[name], by + sooner[name] end
    end
    if by > 0 and row and row[STATE] == 'scheduled' then
      row[RUN_AT] = row[RUN_AT] - by
      set('ticket', tickets[i], cmsgpack.pack(promised))
      save(row)
    end
  end
end
settle_touched()
local found = {}
for _, name in ipairs(blocked_keys()) do
  if not call('ZSCORE', P .. 'due', name) and not outside_lock(name) then
    local n = #freed
    settle(name)
    if #freed > n then found[#found + 1] = name end
  end
end
if #freed > 0 then ring() end
return found
