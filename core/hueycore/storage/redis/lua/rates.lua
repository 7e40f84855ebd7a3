--#include rows
-- Rates: the generic cell rate algorithm (model/limits.py: Rate; keyview.py: Rates).
local tats = {}

local function set_tat(name, tat)
  tats[name] = tat
  set('rate', name, struct.pack('>dd', tat, now))
end

-- The theoretical arrival time of a rate. When the clock was set back the rate goes with it.
local function tat_of(name)
  if not tats[name] then
    local text, tat, seen = read('rate', name), 0, 0
    if text then tat, seen = struct.unpack('>dd', text) end
    tats[name] = tat
    if seen > now then set_tat(name, tat - (seen - now)) end
  end
  return tats[name]
end

local function slot_of(rate, tat) return tat - (rate.burst - 1) * rate.per / rate.rate end

local function tat_after(rate, tat) return math.max(tat, now) + rate.per / rate.rate end
