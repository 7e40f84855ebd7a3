#!lua flags=allow-oom
--#include follow sign
-- Delete final jobs that no waiting job needs. arg: jobs, lists of seq, id, state, claim,
-- finished_at as they were seen: what has changed since stays. Answers the numbers deleted.
local gone, seqs = {}, {}
for i, one in ipairs(arg.jobs) do seqs[i] = one[1] end
fetch(seqs)
for _, one in ipairs(arg.jobs) do
  local row = get(one[1])
  if row and row[ID] == one[2] and row[STATE] == one[3] and row[CLAIM] == one[4]
      and row[FINISHED_AT] == one[5] and FINAL[one[3]] and not needed(row) then
    gone[#gone + 1] = row
  end
end
seqs = {}
for i, row in ipairs(gone) do
  seqs[i] = row[SEQ]
  remove(row)
end
flush()
if #gone > 0 then call('HINCRBY', P .. 'queue', 'purged', #gone) end
sign('purge', #gone)
return seqs
