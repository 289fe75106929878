-- What the scripts of a topic begin with.
--
-- That a group exists is written twice, in the set and in the stream, and neither is trusted alone. Both may go at a time:
-- when the server is emptied, or replaced by one that knows less. The epoch tells that from a group that was deleted on
-- purpose: it counts the groups made and deleted, and a caller who knows as many has to find all that it knows.
--
-- KEYS: stream, groups, epoch, and of a group: due, counts, wake.
-- ARGV: the id for a new epoch, the id and the changes that the caller knows, how many groups it knows, these, what the
-- topic's keys begin with, and what each script says.
local stream, groups, epoch = KEYS[1], KEYS[2], KEYS[3]
local known = tonumber(ARGV[4])
local id, changes
-- All groups, by number and by name.
local all = {}

local function argument(number)
  return ARGV[5 + known + number]
end

local function key_of(kind, group)
  return ARGV[5 + known] .. ':' .. kind .. ':' .. group
end

local function add_group(name)
  if not all[name] then
    all[name] = true
    all[#all + 1] = name
  end
end

-- Writes that groups were made or deleted.
local function changed()
  id = id or ARGV[1]
  changes = changes + 1
  redis.call('HSET', epoch, 'id', id, 'changes', string.format('%.0f', changes))
  redis.call('PERSIST', epoch)
end

-- The leases of a stream that is gone are leases of nothing.
local function forget_leases()
  local out = 0
  for _, name in ipairs(all) do
    local due = key_of('due', name)
    put_aside(due, 'zset')
    out = out + redis.call('ZCARD', due)
    redis.call('DEL', due, key_of('counts', name))
  end
  note('the stream was gone with all that waited in it, ', out, ' messages that were out among it; it was made again')
end

-- Makes the records of the groups agree. Returns what the stream says of each group that it had.
local function mend()
  put_aside(stream, 'stream')
  put_aside(groups, 'set')
  put_aside(epoch, 'hash')
  id = redis.call('HGET', epoch, 'id')
  changes = tonumber(string.match(redis.call('HGET', epoch, 'changes') or '', '^%d+$')) or 0
  local listed, joined = {}, {}
  for _, name in ipairs(redis.call('SMEMBERS', groups)) do
    listed[name] = true
    add_group(name)
  end
  for _, group in ipairs(consumer_groups(stream)) do
    joined[group['name']] = group
    add_group(group['name'])
  end
  local found = #all
  if not (id == ARGV[2] and changes > tonumber(ARGV[3])) then
    for number = 1, known do
      add_group(ARGV[4 + number])
    end
  end
  local is_gone = redis.call('EXISTS', stream) == 0
  if is_gone and found > 0 then
    forget_leases()
  end
  for _, name in ipairs(all) do
    if not listed[name] then
      redis.call('SADD', groups, name)
    end
    if not joined[name] then
      -- What is still there comes again, rather than not at all.
      redis.call('XGROUP', 'CREATE', stream, name, '0', 'MKSTREAM')
    end
    if joined[name] and not listed[name] then
      note('the group "', name, '" was not in the set of groups; it was added')
    elseif listed[name] and not joined[name] and not is_gone then
      note('the group "', name, '" was not in the stream; it was made again, and gets again what the stream holds')
    end
  end
  if #all > found then
    note(#all - found, ' groups were gone with all that waited in them; they were made again')
    changed()
  elseif #all > 0 and not id then
    changed()
  end
  return joined
end

-- The answer of a script, with what the caller has to know from now on, if that is new.
local function answer(value)
  local is_known = (id or '') == ARGV[2] and changes == tonumber(ARGV[3])
  return {notes, not is_known and {id or '', string.format('%.0f', changes), all}, value}
end
