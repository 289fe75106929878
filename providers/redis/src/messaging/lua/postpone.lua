-- Makes a leased message due at another time: the lease lasts longer, or ends before a retry.
-- KEYS: stream, groups, due, counts, wake. ARGV: group, id, count, milliseconds, by how much the count changes.
if redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[3] then
  return 0
end
redis.call('ZADD', KEYS[3], clock() + tonumber(ARGV[4]), ARGV[2])
if ARGV[5] ~= '0' then
  redis.call('HINCRBY', KEYS[4], ARGV[2], ARGV[5])
end
if ARGV[4] == '0' and redis.call('EXISTS', KEYS[5]) == 0 then
  redis.call('RPUSH', KEYS[5], '1')
end
return 1
