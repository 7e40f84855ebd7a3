#!lua flags=allow-oom
--#include follow sign
-- Delete results that no waiting job needs; they count as taken. arg: seqs, operator.
local number = 0
fetch(arg.seqs)
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  if row and not needed(row) and call('HEXISTS', P .. 'result', seq) == 1 then
    if row[TAKEN] == 0 then
      row[TAKEN] = 1
      save(row)
    end
    del('result', seq)
    number = number + 1
  end
end
flush()
sign('clear', number, 'results')
return number
