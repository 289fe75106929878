-- Adds a reply to an inbox that is open. KEYS: inbox. ARGV: how many it holds, milliseconds until it closes by itself, fields
-- and values.
put_aside(KEYS[1], 'stream')
-- What was put aside was in the place of one that is open.
if redis.call('EXISTS', KEYS[1]) == 0 and #notes == 0 then
  return {notes, 1}
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  return {notes, 0}
end
local id = '*'
if #notes > 0 then
  -- Behind all that was read before, also within this millisecond: the owner forgets what is not.
  local now = redis.call('TIME')
  id = string.format('%.0f-0', now[1] * 1000 + math.floor(now[2] / 1000) + 1)
end
redis.call('XADD', KEYS[1], id, unpack(ARGV, 3))
if #notes > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {notes, 1}
