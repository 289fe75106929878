-- A lease is told by its token: the count is the same again after a release. In counts, by id, is how many deliveries a
-- message had, and behind a space the token while it is leased.
-- KEYS: stream, groups, epoch, due, counts, wake.
local function is_held(id, token)
  local value = redis.call('HGET', KEYS[5], id)
  return value and string.match(value, '^%d+ (.*)$') == token
end
