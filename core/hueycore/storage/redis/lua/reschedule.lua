#!lua
--#include endings sign
-- arg: seqs, run_at, priority, expires_at, expires_in, reason, operator. Answers the numbers changed,
-- and pairs of number and state of those that do not wait.
local moved, failed, changed_seqs = {}, {}, {}
fetch(arg.seqs)
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  if row and not WAITING[row[STATE]] then failed[#failed + 1] = {seq, row[STATE]}
  elseif row then
    touch(row)
    local at = arg.run_at or row[RUN_AT]
    row[PRIORITY], row[RUN_AT] = arg.priority or row[PRIORITY], at
    if row[WAITS] == 0 and arg.run_at then row[DELAY] = 0 end
    if arg.expires_at then row[EXPIRES_IN], row[EXPIRES_AT] = false, arg.expires_at
    else
      row[EXPIRES_IN] = arg.expires_in or row[EXPIRES_IN]
      if row[WAITS] == 0 and (arg.run_at or arg.expires_in) then expire_from(row, math.max(at, now)) end
    end
    row[REASON] = arg.reason or row[REASON]
    if row[STATE] ~= 'blocked' or row[WAITS] == 0 then row[STATE] = rest(at, row[KEY_NAME]) end
    save(row)
    moved[#moved + 1], changed_seqs[#changed_seqs + 1] = row, seq
  end
end
settle_touched()
sign('reschedule', moved)
ring()
return {changed_seqs, failed}
