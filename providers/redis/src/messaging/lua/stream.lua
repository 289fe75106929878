-- The parts of an entry's id: milliseconds and number.
local function parts(id)
  local time, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(time), tonumber(number), time
end

local function is_before(one, other)
  local time, number = parts(one)
  local other_time, other_number = parts(other)
  return time < other_time or (time == other_time and number < other_number)
end

-- Beyond 2^53 Lua knows no next number: the entry itself is kept then.
local function after(id)
  local _, number, time = parts(id)
  if number >= 9007199254740992 then
    return id
  end
  return time .. '-' .. string.format('%.0f', number + 1)
end

-- What the stream says of its groups.
local function consumer_groups(stream)
  local found = {}
  if redis.call('EXISTS', stream) == 1 then
    for _, fields in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local group = {}
      for field = 1, #fields, 2 do
        group[fields[field]] = fields[field + 1]
      end
      found[#found + 1] = group
    end
  end
  return found
end

-- Removes the entries that every group has acknowledged. Of a group that is in the set alone nobody knows what it has: it is
-- about to be made again.
local function trim(stream, groups)
  local lowest
  local found = consumer_groups(stream)
  if redis.call('TYPE', groups).ok ~= 'set' or #found < redis.call('SCARD', groups) then
    return
  end
  for _, group in ipairs(found) do
    local first = after(group['last-delivered-id'])
    if group['pending'] > 0 then
      first = redis.call('XPENDING', stream, group['name'])[2]
    end
    if not lowest or is_before(first, lowest) then
      lowest = first
    end
  end
  if lowest then
    redis.call('XTRIM', stream, 'MINID', '=', lowest)
  end
end
