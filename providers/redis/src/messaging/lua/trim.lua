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

local function after(id)
  local _, number, time = parts(id)
  return time .. '-' .. string.format('%.0f', number + 1)
end

-- Removes the entries that every group has acknowledged.
local function trim(stream)
  local lowest
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for field = 1, #fields, 2 do
      group[fields[field]] = fields[field + 1]
    end
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
