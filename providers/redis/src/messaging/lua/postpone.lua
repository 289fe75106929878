-- Makes a leased message due at another time: the lease lasts longer, or ends before the message comes again.
-- ARGV: group, id, token, milliseconds, how many deliveries it had, the token again if the lease goes on.
if not is_held(ARGV[2], ARGV[3]) then
  return 0
end
redis.call('ZADD', KEYS[4], clock() + tonumber(ARGV[4]), ARGV[2])
redis.call('HSET', KEYS[5], ARGV[2], ARGV[6] and ARGV[5] .. ' ' .. ARGV[6] or ARGV[5])
if ARGV[4] == '0' and redis.call('EXISTS', KEYS[6]) == 0 then
  redis.call('RPUSH', KEYS[6], '1')
end
return 1
