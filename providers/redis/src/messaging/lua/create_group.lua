-- Makes a group that begins now. Says: group.
mend()
local group = argument(1)
if not all[group] then
  redis.call('XGROUP', 'CREATE', stream, group, '$', 'MKSTREAM')
  redis.call('SADD', groups, group)
  -- Of a group of this name that went otherwise than by being deleted.
  redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
  add_group(group)
  changed()
end
return answer(true)
