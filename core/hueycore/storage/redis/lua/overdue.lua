#!lua flags=allow-oom
--#include endings
-- arg: seq, claim. 0: the run has ended.
local row = won(arg.seq, arg.claim)
if not row then return 0 end
if row[CANCEL_REQUESTED] ~= INTERRUPT then row[CANCEL_REQUESTED] = OVERDUE end
save(row)
flush()
return 1
