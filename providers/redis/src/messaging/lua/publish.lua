-- Adds a message if the topic has a group, and wakes a member of each. Says: the most messages to keep or '', fields and
-- values.
local function add()
  if argument(1) == '' then
    return redis.pcall('XADD', stream, '*', unpack(ARGV, 7 + known))
  end
  return redis.pcall('XADD', stream, 'MAXLEN', '~', argument(1), '*', unpack(ARGV, 7 + known))
end

-- After an entry with the highest id of all nothing can be added: it gets an id of its time.
local function make_ids_possible()
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if last and last[1] == '18446744073709551615-18446744073709551615' then
    redis.call('XDEL', stream, last[1])
  else
    last = nil
  end
  local top = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  redis.call('XSETID', stream, top and top[1] or '0-1')
  if last then
    redis.call('XADD', stream, '*', unpack(last[2]))
  end
  note('the stream had the highest id that there is; it goes on with ids of the time')
end

local joined = mend()
if #all == 0 then
  return answer(true)
end
local added = add()
if type(added) == 'table' and string.find(added.err, 'exhausted', 1, true) then
  make_ids_possible()
  joined = mend()
  added = add()
end
if type(added) == 'table' then
  return added
end
for _, name in ipairs(all) do
  if joined[name] and not is_before(joined[name]['last-delivered-id'], added) then
    redis.call('XGROUP', 'SETID', stream, name, '0')
    note('the group "', name, '" was set past the end of the stream; it gets again what the stream holds')
  end
  local wake = key_of('wake', name)
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, '1')
  end
end
return answer(true)
