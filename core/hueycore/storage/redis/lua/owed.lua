#!lua flags=allow-oom
--#include keys follow
-- Go on with followers that one script was not to revoke all at once. Answers whether there are more.
local flat, rows = call('HGETALL', P .. 'owed'), {}
for i = 1, #flat, 2 do
  local row = get(tonumber(flat[i]))
  if row and FINAL[row[STATE]] and row[STATE] ~= 'done' and row[DELIVERED] == 0 then
    owed_from[row[SEQ]] = tonumber(flat[i + 1])
    rows[#rows + 1] = row
  else del('owed', flat[i]) end
end
follow(rows, false)
settle_touched()
if #freed > 0 then ring() end
return call('HLEN', P .. 'owed')
