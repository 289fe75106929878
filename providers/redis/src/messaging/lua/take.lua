-- Leases messages to a member: such as are due, and such as nobody had yet. In one step, so that none is ever taken and
-- not leased. Answers nothing where the group was deleted, else the milliseconds until something is due or -1, and for
-- each message its id, count and fields. It is counted when somebody takes it from the member.
-- Says: group, how many, milliseconds of the lease, what comes first, the token of the leases, how many bytes are enough.
local due, counts, wake = KEYS[4], KEYS[5], KEYS[6]
local group, room, token = argument(1), tonumber(argument(2)), argument(5)
local lease = math.max(1, tonumber(argument(3)))
mend()
if not all[group] then
  return answer(false)
end
put_aside(due, 'zset')
put_aside(counts, 'hash')
put_aside(wake, 'list')

local now = clock()
local taken, bytes, most = {}, 0, tonumber(argument(6))

-- How many deliveries a message had. What is no number counts as none.
local function count_of(id)
  local count = tonumber(string.match(redis.call('HGET', counts, id) or '', '^%d+')) or 0
  return math.min(count, 4294967294)
end

local function take(id, fields)
  local count = count_of(id)
  redis.call('ZADD', due, now + lease, id)
  redis.call('HSET', counts, id, string.format('%.0f ', count) .. token)
  room = room - 1
  for _, part in ipairs(fields) do
    bytes = bytes + #part
  end
  taken[#taken + 1] = {id, string.format('%.0f', count + 1), fields}
end

local function forget(id)
  redis.pcall('XACK', stream, group, id)
  redis.call('ZREM', due, id)
  redis.call('HDEL', counts, id)
end

local function take_due()
  local lost, odd = 0, 0
  while room > 0 and bytes < most do
    local id = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 1)[1]
    if not id then
      break
    end
    local found = string.find(id, '^%d+%-%d+$') and redis.pcall('XRANGE', stream, id, id)
    if not found or found.err then
      odd = odd + 1
      forget(id)
    elseif found[1] then
      take(id, found[1][2])
    else
      lost = lost + 1
      forget(id)
    end
  end
  if lost > 0 then
    note(lost, ' messages of the group "', group, '" were out and are not in the stream any more; they are lost')
    trim(stream, groups)
  end
  if odd > 0 then
    note(odd, ' members of ', due, ' were no ids of messages; they were removed')
  end
end

local function take_new()
  -- One at a time: what is read is out, and a huge one would keep the others behind it on their way too long.
  while room > 0 and bytes < most do
    local read = redis.call('XREADGROUP', 'GROUP', group, 'slight', 'COUNT', 1, 'STREAMS', stream, '>')
    if not read then
      break
    end
    local entry = read[1][2][1]
    take(entry[1], entry[2])
  end
end

-- What is out according to the stream, and never due, would never come again.
local function find_out()
  local pending = redis.call('XPENDING', stream, group)
  if pending[1] == 0 then
    return
  end
  if pending[1] <= redis.call('ZCARD', due) and redis.call('ZSCORE', due, pending[2]) then
    return
  end
  local found, from = 0, '-'
  repeat
    local page = redis.call('XPENDING', stream, group, from, '+', 1000)
    for _, entry in ipairs(page) do
      if not redis.call('ZSCORE', due, entry[1]) then
        -- Who still has it may end with it.
        local is_leased = string.find(redis.call('HGET', counts, entry[1]) or '', ' ', 1, true)
        redis.call('ZADD', due, is_leased and now + lease or now, entry[1])
        found = found + 1
      end
      from = '(' .. entry[1]
    end
  until #page < 1000
  note(found, ' messages of the group "', group, '" were out without a time at which they are due; they come again')
end

-- Nobody waits for longer than a year: what says so is not ours.
local function find_late()
  local never = redis.call('ZRANGEBYSCORE', due, now + 31622400000, '+inf', 'LIMIT', 0, 1000)
  for _, id in ipairs(never) do
    redis.call('ZADD', due, now + lease, id)
  end
  if #never > 0 then
    note(#never, ' messages of the group "', group, '" were due in more than a year; they come again')
  end
end

-- With the counts went who holds what: it comes again when it is due, and begins at one.
local function find_uncounted()
  local out = redis.call('ZCARD', due)
  if out <= redis.call('HLEN', counts) then
    return
  end
  local found = 0
  for _, id in ipairs(redis.call('ZRANGE', due, 0, -1)) do
    found = found + redis.call('HSETNX', counts, id, '0')
  end
  note(found, ' messages of the group "', group, '" were out without a count; they come again, and are counted anew')
end

find_out()
find_late()
find_uncounted()
if argument(4) == 'due' then
  take_due()
  take_new()
else
  take_new()
  take_due()
end

if redis.call('LLEN', wake) > 1 then
  redis.call('LTRIM', wake, 0, 0)
end
-- There may be more than this member takes at a time: another one looks.
if (room == 0 or bytes >= most) and redis.call('EXISTS', wake) == 0 then
  redis.call('RPUSH', wake, '1')
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then
  wait = math.max(0, tonumber(first[2]) - now)
end
return answer({wait, taken})
