#!lua flags=allow-oom
--#include follow batch
-- Take away jobs of a batch that will never be in. arg: batch, portions (as they were when its producer
-- was taken for dead). Answers whether there are more.
local batch = batch_of(arg.batch)
if not batch or batch.state == 'in' or (arg.portions and batch.portions ~= arg.portions) then return 0 end
local seqs = held_by_batch(arg.batch)
for _, seq in ipairs(seqs) do remove(get(seq)) end
batch.state = 'gone'
save_batch(arg.batch, #seqs == PORTION and batch)
flush()
return #seqs == PORTION and 1 or 0
