#!lua flags=allow-oom
--#include follow
-- After the clock was set back (clockback.py). arg: seqs.
for _, seq in ipairs(arg.seqs) do
  local row = get(seq)
  local state = row and row[STATE]
  if row and row[RUN_AT] > now and ((state == 'scheduled' and row[DELAY] > 0 and row[RUN_AT] > now + row[DELAY])
      or state == 'pending' or (state == 'blocked' and row[WAITS] == 0)) then
    row[RUN_AT] = now + (state == 'scheduled' and row[DELAY] or 0)
    expire_from(row, row[RUN_AT])
    save(row)
  end
end
flush()
return 1
