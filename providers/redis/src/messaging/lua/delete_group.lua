-- Removes a group with all that it holds, and the topic with its last group. Says: group, milliseconds that it is
-- remembered that the last group was deleted on purpose.
mend()
local group = argument(1)
if not all[group] then
  return answer(true)
end
redis.call('SREM', groups, group)
redis.call('XGROUP', 'DESTROY', stream, group)
redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
changed()
local others = {}
for _, name in ipairs(all) do
  if name ~= group then
    others[#others + 1] = name
  end
end
all = others
if #all == 0 then
  redis.call('DEL', stream, groups)
  redis.call('PEXPIRE', epoch, argument(2))
else
  trim(stream, groups)
end
return answer(true)
