-- Makes a group that begins now. KEYS: stream, groups. ARGV: group.
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '$', 'MKSTREAM')
  redis.call('SADD', KEYS[2], ARGV[1])
end
return 1
