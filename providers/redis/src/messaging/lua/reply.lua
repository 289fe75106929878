-- Adds a reply to an inbox that is open. KEYS: inbox. ARGV: how many it holds, fields and values.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 1
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1
