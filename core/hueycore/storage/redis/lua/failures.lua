--#include rows
-- The failed attempts of a job, a line of JSON each (failures.py).
local UNCOUNTED = '"counted":false}'

local function errors_of(row)
  local text, lines = read('error', row[SEQ]), {}
  for line in string.gmatch(text or '', '[^\n]+') do lines[#lines + 1] = line end
  return lines
end

-- Why no error can be added to those of a row, if that is so: somebody else wrote there.
local function unreadable(row)
  local text = read('error', row[SEQ])
  if not text or string.sub(text, 1, 1) == '{' then return nil end
  del('error', row[SEQ])
  return 'ValueError: the errors of its row cannot be read'
end

-- Of runs that were given back, one after another, only the last is kept.
local function add_error(row, entry)
  local lines = errors_of(row)
  local last = lines[#lines]
  if last and string.sub(last, -16) == UNCOUNTED and string.sub(entry, -16) == UNCOUNTED then
    lines[#lines] = nil
  end
  lines[#lines + 1] = entry
  while #lines > KEPT_ERRORS do table.remove(lines, 1) end
  set('error', row[SEQ], table.concat(lines, '\n'))
  if recording then
    local fine, one = pcall(cjson.decode, entry)
    if not fine then return end
    faults[row[SEQ]] = {attempt = one.attempt, run_s = one.run_s, text = one.type .. ': ' .. one.message}
  end
end

local function failure(row, kind, message, worker, run_s, counted)
  return string.format(
    '{"at":%.17g,"attempt":%d,"type":%s,"message":%s,"traceback":"","run_s":%.6g,"worker":%s,"counted":%s}',
    now, row[ATTEMPT], cjson.encode(kind), cjson.encode(message), run_s, cjson.encode(worker),
    tostring(counted))
end
