-- What was found otherwise than we left it, in sentences for the log.
local notes = {}

local function note(...)
  notes[#notes + 1] = table.concat({...})
end

-- What is not ours is kept under another name, and ours begins anew: no group can have the name that this makes.
local function put_aside(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    local aside = string.gsub(key, '}', '}:odd', 1)
    redis.call('RENAME', key, aside)
    note('the key ', key, ' held a ', found, ' in place of a ', kind, '; it was renamed to ', aside)
  end
end
