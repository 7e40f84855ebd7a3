#!lua
--#include rows
-- arg: name; the amount.
-- The number comes as text: Lua knows no whole numbers above 2^53.
local name = 'n' .. arg.name
call('HINCRBY', P .. 'counter', name, ARGV[3])
call('HSETNX', P .. 'counter', 't' .. arg.name, string.format('%.17g', now))
note_write()
return call('HGET', P .. 'counter', name)
