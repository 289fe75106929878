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
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
if #notes > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {notes, 1}
