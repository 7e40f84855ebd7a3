#!lua flags=allow-oom
--#include keys follow
-- Due jobs become pending, or blocked when their key has no room; keys whose time has come let their
-- next job go. arg: limit.
local rows, found = {}, {}
local seqs = integers(call('ZRANGEBYSCORE', P .. 'scheduled', '-inf', now, 'LIMIT', 0, arg.limit))
fetch(seqs)
for i = 1, #seqs do rows[i] = get(seqs[i]) end
table.sort(rows, function(a, b)
  if a[RUN_AT] ~= b[RUN_AT] then return a[RUN_AT] < b[RUN_AT] end
  return a[SEQ] < b[SEQ]
end)
for i = 1, #rows do
  local row = rows[i]
  row[STATE] = rest(0, row[KEY_NAME])
  expire_from(row, now)
  save(row)
  touch(row)
  found[i] = {row[SEQ], row[ID], row[TASK]}
end
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, 1000)) do
  touched[name] = true
end
settle_touched()
if #rows > 0 or #freed > 0 then ring() end
return found
