#!lua flags=allow-oom
--#include keys
-- The rate begins anew. arg: name.
if call('HEXISTS', P .. 'rate', arg.name) == 1 then del('rate', arg.name) end
touched[arg.name] = true
settle_touched()
if #freed > 0 then ring() end
return 1
