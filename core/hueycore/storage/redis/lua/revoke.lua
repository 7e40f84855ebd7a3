#!lua flags=allow-oom
--#include endings sign
-- arg: seqs, asked, reason, operator. Answers the numbers changed, and pairs of number and state of
-- those that are final.
local waiting, running, failed, changed_seqs, both = {}, {}, {}, {}, {}
fetch(arg.seqs)
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  if row and FINAL[row[STATE]] then failed[#failed + 1] = {seq, row[STATE]}
  elseif row then
    local list = row[STATE] == 'running' and running or waiting
    list[#list + 1] = row
  end
end
for _, list in ipairs{waiting, running} do
  for _, row in ipairs(list) do
    both[#both + 1], changed_seqs[#changed_seqs + 1] = row, row[SEQ]
  end
end
end_waiting({unpack(waiting)}, 'revoked', arg.reason or 'revoked')
for _, row in ipairs(running) do
  row[CANCEL_REQUESTED] = math.max(row[CANCEL_REQUESTED], arg.asked)
  save(row)
end
settle_touched()
sign('revoke', both)
if #freed > 0 then ring() end
return {changed_seqs, failed}
