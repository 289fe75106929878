-- Counts deliveries that were taken. ARGV: group, and for each: id, token, how many deliveries it had with this one.
for number = 2, #ARGV, 3 do
  if is_held(ARGV[number], ARGV[number + 1]) then
    redis.call('HSET', KEYS[5], ARGV[number], ARGV[number + 2] .. ' ' .. ARGV[number + 1])
  end
end
return 1
