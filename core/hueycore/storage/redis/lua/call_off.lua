#!lua flags=allow-oom
--#include rows sign
-- arg: seqs, operator. Answers the numbers changed, and pairs of number and state of the others.
local rows, changed_seqs, failed = {}, {}, {}
fetch(arg.seqs)
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  if row and (row[CANCEL_REQUESTED] == 1 or row[CANCEL_REQUESTED] == 2) then
    row[CANCEL_REQUESTED] = 0
    save(row)
    rows[#rows + 1], changed_seqs[#changed_seqs + 1] = row, seq
  elseif row then failed[#failed + 1] = {seq, row[STATE]} end
end
flush()
sign('call-off', rows)
return {changed_seqs, failed}
