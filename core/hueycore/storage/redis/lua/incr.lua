#!lua
--#include rows
-- arg: name; the amount.
call('HSETNX', P .. 'counter', 't' .. arg.name, string.format('%.17g', now))
note_write()
return call('HINCRBY', P .. 'counter', 'n' .. arg.name, ARGV[3])
