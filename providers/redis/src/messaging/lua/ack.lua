-- Ends a lease for good. ARGV: group, id, token.
if not is_held(ARGV[2], ARGV[3]) then
  return 0
end
-- A stream or a group that is gone has nothing more to be told.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2])
if pending[2] == ARGV[2] then
  trim(KEYS[1], KEYS[2])
end
return 1
