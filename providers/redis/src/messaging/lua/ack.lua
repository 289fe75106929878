-- Ends a lease for good. KEYS: stream, groups, due, counts, wake. ARGV: group, id, count.
if redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[3] then
  return 0
end
local lowest = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[4], ARGV[2])
if lowest == ARGV[2] then
  trim(KEYS[1])
end
return 1
