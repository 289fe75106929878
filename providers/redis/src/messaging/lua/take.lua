-- Leases messages to a member: such as are due, and such as nobody had yet. In one step, so that none is ever taken and
-- not leased. Returns the milliseconds until something is due or -1, and for each message its id, count and fields.
-- KEYS: stream, groups, due, counts, wake. ARGV: group, how many, milliseconds of the lease, what comes first.
local stream, groups, due, counts, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, room, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('SISMEMBER', groups, group) == 0 then
  return false
end

local now = clock()
local taken = {}

local function take(id, fields)
  local count = redis.call('HINCRBY', counts, id, 1)
  redis.call('ZADD', due, now + lease, id)
  room = room - 1
  taken[#taken + 1] = {id, count, fields}
end

local function take_due()
  if room == 0 then
    return
  end
  local forgotten = false
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room)) do
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      take(id, entry[2])
    else
      -- Cut off by the topic's maximum length.
      redis.call('XACK', stream, group, id)
      redis.call('ZREM', due, id)
      redis.call('HDEL', counts, id)
      forgotten = true
    end
  end
  if forgotten then
    trim(stream)
  end
end

local function take_new()
  if room == 0 then
    return
  end
  local read = redis.call('XREADGROUP', 'GROUP', group, 'slight', 'COUNT', room, 'STREAMS', stream, '>')
  if read then
    for _, entry in ipairs(read[1][2]) do
      take(entry[1], entry[2])
    end
  end
end

if ARGV[4] == 'due' then
  take_due()
  take_new()
else
  take_new()
  take_due()
end

-- There may be more than this member has room for: another one looks.
if room == 0 and redis.call('EXISTS', wake) == 0 then
  redis.call('RPUSH', wake, '1')
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then
  wait = math.max(0, tonumber(first[2]) - now)
end
return {wait, taken}
