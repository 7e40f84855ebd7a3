--#include endings periodic
local function running_of(worker)
  local seqs = integers(call('ZRANGEBYSCORE', P .. 'running', worker, worker))
  table.sort(seqs)
  fetch(seqs)
  local found = {}
  for i = 1, #seqs do found[i] = get(seqs[i]) end
  return found
end

local function forget_worker(worker)
  for _, field in ipairs{worker, worker .. ' beat', worker .. ' runs', worker .. ' link'} do del('worker', field) end
  del('last', worker)
  forget_declarations(worker)
  free_locks(worker)
end
