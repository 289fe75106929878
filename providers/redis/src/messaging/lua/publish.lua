-- Adds a message if the topic has a group, and wakes a member of each.
-- KEYS: stream, groups. ARGV: what the groups' wake keys begin with, the most messages to keep or '', fields and values.
local groups = redis.call('SMEMBERS', KEYS[2])
if #groups == 0 then
  return 0
end
if ARGV[2] == '' then
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
else
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
end
for _, group in ipairs(groups) do
  local wake = ARGV[1] .. group
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, '1')
  end
end
return #groups
