#!lua flags=allow-oom
--#include endings
-- Waiting jobs past expires_at become expired. arg: limit. Answers them with the state they were in.
local rows, found = {}, {}
local seqs = integers(call('ZRANGEBYSCORE', P .. 'expiring', '-inf', now, 'LIMIT', 0, arg.limit))
fetch(seqs)
for i = 1, #seqs do
  local row = get(seqs[i])
  rows[i] = row
  found[i] = {row[SEQ], row[ID], row[TASK], row[STATE]}
end
end_waiting(rows, 'expired', false)
settle_touched()
if #freed > 0 then ring() end
return found
