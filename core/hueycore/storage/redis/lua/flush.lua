#!lua flags=allow-oom
--#include keys sign
-- Delete everything of the queue but what is the code's, the workers, and the numbers. arg: gone
-- (names of keys), operator.
for _, name in ipairs(arg.gone) do call('UNLINK', P .. name) end
note_write()
sign('flush')
return 1
