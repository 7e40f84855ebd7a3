--#include keys
-- The names of the keys that block jobs.
local function blocked_keys()
  local found, from = {}, '-'
  while true do
    local member = call('ZRANGEBYLEX', P .. 'key', from, '+', 'LIMIT', 0, 1)[1]
    if not member then return found end
    local name = string.sub(member, 1, #member - 26)
    if count_in('blocked', name) > 0 then found[#found + 1] = name end
    from = '(' .. name .. '\0\255'
  end
end
