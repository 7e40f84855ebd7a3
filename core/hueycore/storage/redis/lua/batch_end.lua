#!lua flags=allow-oom
--#include keys follow batch
-- Let jobs of a batch go that is in. arg: batch, whole (its producer says that all are there), forget
-- (nobody will ask again whether they were). Answers numbers and states, and whether there are more.
local batch, found = batch_of(arg.batch), {}
if not batch or (batch.state ~= 'in' and not arg.whole) or batch.state == 'gone' then
  return redis.error_reply('HUEY GONE')
end
local seqs = held_by_batch(arg.batch)
for i, seq in ipairs(seqs) do
  local row = get(seq)
  row[BATCH], row[WAITS] = false, row[WAITS] - 1
  if row[STATE] == 'blocked' and row[WAITS] == 0 then
    if row[INPUTS] > 0 then ready(row) else row[STATE] = rest(row[RUN_AT], row[KEY_NAME]) end
  end
  save(row)
  touch(row)
  found[i] = row
end
batch.state = 'in'
save_batch(arg.batch, (#seqs == PORTION or not arg.forget) and batch)
settle_touched()
if #seqs > 0 then ring() end
for i, row in ipairs(found) do found[i] = {row[SEQ], row[STATE]} end
return {found, #seqs == PORTION and 1 or 0}
