--#include rows
-- What runs say of themselves (joblog.py): progress, and lines, each only while its claim stands.
local function write_lines(row, lines)
  local seq = row[SEQ]
  local first, last = string.match(read('log', seq) or '1 0', '(%d+) (%d+)')
  first, last = tonumber(first), tonumber(last)
  for i = 1, #lines do
    last = last + 1
    set('log', seq .. ':' .. last, lines[i])
  end
  while last - first >= KEPT_LINES do
    del('log', seq .. ':' .. first)
    first = first + 1
  end
  set('log', seq, first .. ' ' .. last)
end

local function write_notes(row, said)
  if said.progress then set('said', row[SEQ], said.progress) end
  if #said.lines > 0 then write_lines(row, said.lines) end
end
