local function log_event(fields)
  local number = call('HINCRBY', P .. 'queue', 'event', 1)
  call('XADD', P .. 'event', number .. '-0', 'at', string.format('%.3f', now), unpack(fields))
end
