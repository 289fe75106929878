-- Opens an inbox, or keeps it open and forgets what was read. Answers with the id to read on from. KEYS: inbox. ARGV: id of
-- the last reply read, milliseconds until it closes by itself.
put_aside(KEYS[1], 'stream')
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], 'owner', '$', 'MKSTREAM')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {notes, '0-0'}
end
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {notes, ARGV[1]}
