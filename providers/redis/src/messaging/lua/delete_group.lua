-- Removes a group with all that it holds, and the topic with its last group.
-- KEYS: stream, groups, due, counts, wake. ARGV: group.
if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then
  return 0
end
redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[1])
else
  trim(KEYS[1])
end
return 1
