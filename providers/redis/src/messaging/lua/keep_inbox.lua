-- Opens an inbox, or keeps it open and forgets what was read. KEYS: inbox. ARGV: id of the last reply read,
-- milliseconds until it closes by itself.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], 'owner', '$', 'MKSTREAM')
else
  redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
  redis.call('XDEL', KEYS[1], ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
