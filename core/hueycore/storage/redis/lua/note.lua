#!lua flags=allow-oom
--#include endings
-- What running jobs say of themselves. arg: notes, lists of seq, claim, said.
for _, one in ipairs(arg.notes) do
  local row = won(one[1], one[2])
  if row then rare().write_notes(row, one[3]) end
end
flush()
return 1
