#!lua flags=allow-oom
--#include follow
-- Hand out the result of a job once. arg: id. Answers false when there is none to hand out any more.
local row = job_of(arg.id)
if not row or row[TAKEN] ~= 0 then return false end
local result = call('HGET', P .. 'result', row[SEQ])
row[TAKEN] = 1
save(row)
if not needed(row) then del('result', row[SEQ]) end
flush()
return {row[SEQ], row[STATE], row[REASON], result}
