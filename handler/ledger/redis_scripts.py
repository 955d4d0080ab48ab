"""What Redis does in one step: the Lua scripts of the Redis ledger.

A script runs alone, so what it reads and what it writes is one moment. All keys bear one hash tag, ``{steward}``: a
Redis that is cut into slots keeps them together. Numbers travel as texts and are compared as numbers; what is stored is
what was passed in.
"""

from __future__ import annotations

from typing import Final

from handler.ledger.serialization import SCHEMA_VERSION

_KEYS: Final = "local S = '{steward}:'\n"
#: Before all that reads or writes: who asks looked at the mark when it connected, and since then the database may have
#: been emptied, or taken over by another version. What is written without the mark would make a ledger that nobody
#: opens any more.
_MARKED: Final = (
    _KEYS
    + f"""
if redis.call('GET', S .. 'schema') ~= '{SCHEMA_VERSION}' then
  return redis.error_reply('UNMARKED it does not bear version {SCHEMA_VERSION} any more: was it emptied?')
end
"""
)

#: Texts that the scripts share. A *past* is a JSON array whose first items are the state and the owner.
_SHARED: Final = (
    _MARKED
    + """
local function state_of(past) return past and string.match(past, '^%["([A-Z_]+)"') end
local function is_open(past) local s = state_of(past); return s == 'SENDING' or s == 'ACCEPTED' or s == 'IN_DOUBT' end
local function past_of(id) return id and redis.call('HGET', S .. 'pasts', id) end
local function has_touched(id) local s = state_of(past_of(id)); return s and s ~= 'NOT_SENT' and s ~= 'REJECTED' end
-- What is kept of a target: its newest operation, and what had touched it before, which may be nothing.
local function of_target(kept) if kept then return string.match(kept, '^(.-)|(.*)$') end end
-- What is kept of an incident: its newest operation, when the first of its parts was armed (0: it is served at once), and the digest.
local function of_incident(kept) if kept then return string.match(kept, '^(.-)|(.-)|(.*)$') end end
local function leaves_open(past, since)
  local s = state_of(past)
  return s == 'NOT_SENT' or (tonumber(since) > 0 and s ~= 'REJECTED' and not is_open(past))
end
local function changed(cluster) redis.call('HINCRBY', S .. 'versions', cluster, 1) end
"""
)

#: version → the version of what is there, which is this one where there was nothing; nothing where what is there bears
#: none
OPEN: Final = (
    _KEYS
    + """
local keys = {}
for _, name in ipairs({'clusters', 'versions', 'operations', 'records', 'claims', 'buckets'}) do keys[#keys + 1] = S .. name end
if redis.call('EXISTS', unpack(keys)) == 0 then redis.call('SET', S .. 'schema', ARGV[1]) end
return redis.call('GET', S .. 'schema')
"""
)

#: cluster, now, most, close_after, begin of the window, how far ahead a time may be, whether they are only read, then (incident, origin)…
#: → [count, when the breaker opened ('' where it is closed), (incident, digest, parts since, past)…], and the incidents that are ended.
ENTER: Final = (
    _SHARED
    + """
local cluster, now, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local known, ended, asking = {}, {}, {}
for i = 8, #ARGV, 2 do
  local incident = ARGV[i]
  local is_ended = redis.call('ZSCORE', S .. 'ended:' .. cluster, ARGV[i + 1])
  local id, since, digest = of_incident(redis.call('HGET', S .. 'incidents:' .. cluster, incident))
  local past = past_of(id)
  if past then
    for _, part in ipairs({incident, digest, since, past}) do known[#known + 1] = part end
  end
  if is_ended then
    ended[#ended + 1] = incident
  elseif ARGV[7] == '0' and (not past or leaves_open(past, since)) then
    asking[#asking + 1] = ARGV[2]
    asking[#asking + 1] = incident
  end
end
local intents = S .. 'intents:' .. cluster
if #asking > 0 then
  redis.call('SADD', S .. 'clusters', cluster)
  redis.call('ZREMRANGEBYSCORE', intents, '-inf', ARGV[5])
  redis.call('ZREMRANGEBYSCORE', intents, '(' .. ARGV[6], '+inf')
  for i = 1, #asking, 1000 do redis.call('ZADD', intents, 'NX', unpack(asking, i, math.min(i + 999, #asking))) end
end
local count = redis.call('ZCOUNT', intents, '(' .. ARGV[5], ARGV[6])
local opened_at = redis.call('HGET', S .. 'breakers', cluster)
if #asking > 0 then
  if not opened_at and count > most then
    opened_at = ARGV[2]
    redis.call('HSET', S .. 'breakers', cluster, opened_at)
  elseif opened_at and math.abs(now - tonumber(opened_at)) >= tonumber(ARGV[4]) and count <= math.max(1, most / 2) then
    opened_at = false
    redis.call('HDEL', S .. 'breakers', cluster)
  end
end
return {count, opened_at or '', known, ended}
"""
)

#: cluster, now, origins…
END: Final = (
    _MARKED
    + """
redis.call('SADD', S .. 'clusters', ARGV[1])
for i = 3, #ARGV do redis.call('ZADD', S .. 'ended:' .. ARGV[1], ARGV[2], ARGV[i]) end
"""
)

#: cluster, an hour ago, begin of the quarantine window
#: → [version, operations in the last hour, (target, operation)…, pasts…, (restart, at)…, (target, until)…, (target, released at)…]
HISTORY: Final = (
    _SHARED
    + """
local cluster = ARGV[1]
local recent = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', S .. 'operations:' .. cluster, '(' .. ARGV[2], '+inf')) do
  if has_touched(id) then recent = recent + 1 end
end
local targets = redis.call('HGETALL', S .. 'targets:' .. cluster)
local pasts, seen = {}, {}
for i = 2, #targets, 2 do
  local id, before = of_target(targets[i])
  if before ~= '' and not has_touched(id) and past_of(before) then id = before end
  targets[i] = id
  local past = past_of(id)
  if past and not seen[id] then
    seen[id] = true
    pasts[#pasts + 1] = past
  end
end
return {
  tonumber(redis.call('HGET', S .. 'versions', cluster) or 0), recent, targets, pasts,
  redis.call('ZRANGEBYSCORE', S .. 'restarts:' .. cluster, '(' .. ARGV[3], '+inf', 'WITHSCORES'),
  redis.call('HGETALL', S .. 'quarantine:' .. cluster),
  redis.call('HGETALL', S .. 'released:' .. cluster),
}
"""
)

#: cluster, version, operation, its body, its past, armed at, number of incidents, (incident, parts since|digest)…,
#: targets… → 1 where it is armed
ARM: Final = (
    _SHARED
    + """
local cluster, id = ARGV[1], ARGV[3]
if tonumber(redis.call('HGET', S .. 'versions', cluster) or 0) ~= tonumber(ARGV[2]) then return 0 end
local incidents, targets = S .. 'incidents:' .. cluster, S .. 'targets:' .. cluster
local first = 8 + 2 * tonumber(ARGV[7])
for i = 8, first - 1, 2 do
  local before, since = of_incident(redis.call('HGET', incidents, ARGV[i]))
  local past = past_of(before)
  if past and not leaves_open(past, since) then return 0 end
end
for i = first, #ARGV do
  if is_open(past_of(of_target(redis.call('HGET', targets, ARGV[i])))) then return 0 end
end
redis.call('SADD', S .. 'clusters', cluster)
redis.call('HSET', S .. 'bodies', id, ARGV[4])
redis.call('HSET', S .. 'pasts', id, ARGV[5])
redis.call('ZADD', S .. 'operations', ARGV[6], id)
redis.call('ZADD', S .. 'operations:' .. cluster, ARGV[6], id)
if is_open(ARGV[5]) then redis.call('ZADD', S .. 'open', ARGV[6], id) else redis.call('ZADD', S .. 'settled', ARGV[6], id) end
for i = 8, first - 1, 2 do redis.call('HSET', incidents, ARGV[i], id .. '|' .. ARGV[i + 1]) end
for i = first, #ARGV do
  local last, before = of_target(redis.call('HGET', targets, ARGV[i]))
  if has_touched(last) then before = last end
  redis.call('HSET', targets, ARGV[i], id .. '|' .. (before or ''))
end
changed(cluster)
return 1
"""
)

#: operation, how its past must begin, its new past, now, cluster, whether the state changes, restarted targets… → 1
#: where it is kept
SETTLE: Final = (
    _SHARED
    + """
local id, expected, past, now, cluster = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local kept = past_of(id)
if not kept or string.sub(kept, 1, #expected) ~= expected then return 0 end
redis.call('HSET', S .. 'pasts', id, past)
if ARGV[6] == '0' then return 1 end
if is_open(past) then
  redis.call('ZREM', S .. 'settled', id)
  redis.call('ZADD', S .. 'open', redis.call('ZSCORE', S .. 'operations', id), id)
else
  redis.call('ZREM', S .. 'open', id)
  redis.call('ZADD', S .. 'settled', now, id)
end
for i = 7, #ARGV do redis.call('ZADD', S .. 'restarts:' .. cluster, now, id .. '|' .. ARGV[i]) end
changed(cluster)
return 1
"""
)

#: cluster, target, now, until → until when it is in quarantine
QUARANTINE: Final = (
    _SHARED
    + """
local key = S .. 'quarantine:' .. ARGV[1]
local held = redis.call('HGET', key, ARGV[2])
if held and tonumber(held) > tonumber(ARGV[3]) then return held end
redis.call('SADD', S .. 'clusters', ARGV[1])
redis.call('HSET', key, ARGV[2], ARGV[4])
return ARGV[4]
"""
)

#: target, now, cluster or an empty text → the clusters in which it was in quarantine
RELEASE: Final = (
    _SHARED
    + """
local freed = {}
local clusters = ARGV[3] ~= '' and {ARGV[3]} or redis.call('SMEMBERS', S .. 'clusters')
table.sort(clusters)
for _, cluster in ipairs(clusters) do
  local held = redis.call('HGET', S .. 'quarantine:' .. cluster, ARGV[1])
  if held and tonumber(held) > tonumber(ARGV[2]) then
    redis.call('HSET', S .. 'quarantine:' .. cluster, ARGV[1], ARGV[2])
    redis.call('HSET', S .. 'released:' .. cluster, ARGV[1], ARGV[2])
    changed(cluster)
    freed[#freed + 1] = cluster
  end
end
return freed
"""
)

#: key, now, seconds → 1 where it was free
CLAIM: Final = (
    _SHARED
    + """
local at = redis.call('ZSCORE', S .. 'claims', ARGV[1])
if at and math.abs(tonumber(ARGV[2]) - tonumber(at)) < tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', S .. 'claims', ARGV[2], ARGV[1])
return 1
"""
)

#: What the scripts about alarms share: a sorted set of them by time, their texts, and until when each is somebody's to
#: send.
_UNSENT: Final = (
    _MARKED
    + """
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', S .. 'unsent', id)
    redis.call('HDEL', S .. 'unsent-texts', id)
    redis.call('HDEL', S .. 'unsent-taken', id)
  end
end
"""
)

#: until, most, (id, at, text)…
KEEP_UNSENT: Final = (
    _UNSENT
    + """
for i = 3, #ARGV, 3 do
  redis.call('ZADD', S .. 'unsent', ARGV[i + 1], ARGV[i])
  redis.call('HSET', S .. 'unsent-texts', ARGV[i], ARGV[i + 2])
  redis.call('HSET', S .. 'unsent-taken', ARGV[i], ARGV[1])
end
local beyond = redis.call('ZCARD', S .. 'unsent') - tonumber(ARGV[2])
if beyond > 0 then drop(redis.call('ZRANGE', S .. 'unsent', 0, beyond - 1)) end
"""
)

#: now, until, since, most, how far ahead a time may be → (id, at, text)…
TAKE_UNSENT: Final = (
    _UNSENT
    + """
drop(redis.call('ZRANGEBYSCORE', S .. 'unsent', '-inf', '(' .. ARGV[3]))
local now, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]) + tonumber(ARGV[5])
local all = redis.call('ZRANGE', S .. 'unsent', 0, -1, 'WITHSCORES')
local free = {}
for i = 1, #all, 2 do
  local taken_until = tonumber(redis.call('HGET', S .. 'unsent-taken', all[i]) or 0)
  if taken_until <= now or taken_until > ahead then free[#free + 1] = {taken_until, i} end
end
-- Whose last try is the longest ago, and of these the oldest, which is the order of the answer too.
table.sort(free, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
for i = #free, tonumber(ARGV[4]) + 1, -1 do free[i] = nil end
table.sort(free, function(a, b) return a[2] < b[2] end)
local taken = {}
for _, one in ipairs(free) do
  local id, at = all[one[2]], all[one[2] + 1]
  redis.call('HSET', S .. 'unsent-taken', id, ARGV[2])
  for _, part in ipairs({id, at, redis.call('HGET', S .. 'unsent-texts', id) or ''}) do taken[#taken + 1] = part end
end
return taken
"""
)

#: ids…
FORGET_UNSENT: Final = _UNSENT + "drop(ARGV)\n"

#: bucket, now, rate, burst, most wait, how far ahead a time may be → the seconds to wait as a text, or nothing
TAKE: Final = (
    _SHARED
    + """
local now, rate, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HGET', S .. 'buckets', ARGV[1])
local tokens, at = burst, now
local function keep(left, at) redis.call('HSET', S .. 'buckets', ARGV[1], string.format('%.17g|%.17g', left, at)) end
if kept then
  local a, b = string.match(kept, '^(.-)|(.*)$')
  tokens, at = tonumber(a), tonumber(b)
end
if at > now + tonumber(ARGV[6]) then
  at = now
  keep(tokens, at)
end
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local wait = math.max(0, (1 - tokens) / rate)
if wait > tonumber(ARGV[5]) then return false end
keep(tokens - 1, math.max(now, at))
return string.format('%.17g', wait)
"""
)

#: What the scripts about records share. A record's name is its number, so that equal ones are two and the order is that
#: of writing, and the mark of its event, of which `events` makes an index.
_RECORDS: Final = (
    _SHARED
    + """
local lines, records, events = S .. 'lines', S .. 'records', S .. 'events'
local function mark_of(event) return string.sub(redis.sha1hex(event), 1, 16) end
local function tell(rows, name, at)
  local line = redis.call('HGET', lines, string.sub(name, 1, 16))
  if line and at then for _, part in ipairs({name, at, line}) do rows[#rows + 1] = part end end
end
"""
)

#: (at, event, line)…
RECORD: Final = (
    _RECORDS
    + """
for i = 1, #ARGV, 3 do
  local number, mark = string.format('%016d', redis.call('INCR', S .. 'record-number')), mark_of(ARGV[i + 1])
  redis.call('HSET', lines, number, ARGV[i + 2])
  redis.call('ZADD', records, ARGV[i], number .. mark)
  redis.call('ZADD', events, 0, mark .. number)
end
"""
)

#: newest, oldest (times), most → (name, at, line)…, the newest first
RECORDS: Final = (
    _RECORDS
    + """
local rows = {}
local found = redis.call('ZREVRANGEBYSCORE', records, ARGV[1], ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #found, 2 do tell(rows, found[i], found[i + 1]) end
return rows
"""
)

#: event → (name, at, line)…, the newest first
RECORDS_OF: Final = (
    _RECORDS
    + """
local rows, mark = {}, mark_of(ARGV[1])
for _, entry in ipairs(redis.call('ZREVRANGEBYLEX', events, '(' .. mark .. 'g', '[' .. mark)) do
  local name = string.sub(entry, 17) .. mark
  tell(rows, name, redis.call('ZSCORE', records, name))
end
return rows
"""
)

#: operation, cluster, number of incidents, incidents…, targets… An incident or a target that has a newer operation
#: keeps that.
FORGET: Final = (
    _SHARED
    + """
local id, cluster = ARGV[1], ARGV[2]
if is_open(past_of(id)) then return 0 end
local first = 4 + tonumber(ARGV[3])
for i = 4, first - 1 do
  local entry = redis.call('HGET', S .. 'incidents:' .. cluster, ARGV[i])
  if of_incident(entry) == id then redis.call('HDEL', S .. 'incidents:' .. cluster, ARGV[i]) end
end
for i = first, #ARGV do
  if of_target(redis.call('HGET', S .. 'targets:' .. cluster, ARGV[i])) == id then redis.call('HDEL', S .. 'targets:' .. cluster, ARGV[i]) end
end
redis.call('HDEL', S .. 'bodies', id)
redis.call('HDEL', S .. 'pasts', id)
for _, key in ipairs({'operations', 'settled', 'operations:' .. cluster}) do redis.call('ZREM', S .. key, id) end
return 1
"""
)

#: before, most → the number of records that went, which are no more than that
TIDY: Final = (
    _RECORDS
    + """
local before = '(' .. ARGV[1]
for _, cluster in ipairs(redis.call('SMEMBERS', S .. 'clusters')) do
  redis.call('ZREMRANGEBYSCORE', S .. 'intents:' .. cluster, '-inf', before)
  redis.call('ZREMRANGEBYSCORE', S .. 'restarts:' .. cluster, '-inf', before)
  redis.call('ZREMRANGEBYSCORE', S .. 'ended:' .. cluster, '-inf', before)
  local held = redis.call('HGETALL', S .. 'quarantine:' .. cluster)
  for i = 1, #held, 2 do
    local released = redis.call('HGET', S .. 'released:' .. cluster, held[i])
    if tonumber(held[i + 1]) < tonumber(ARGV[1]) and tonumber(released or 0) < tonumber(ARGV[1]) then
      redis.call('HDEL', S .. 'quarantine:' .. cluster, held[i])
      redis.call('HDEL', S .. 'released:' .. cluster, held[i])
    end
  end
end
redis.call('ZREMRANGEBYSCORE', S .. 'claims', '-inf', before)
local old = redis.call('ZRANGEBYSCORE', records, '-inf', before, 'LIMIT', 0, ARGV[2])
for _, name in ipairs(old) do
  local number = string.sub(name, 1, 16)
  redis.call('HDEL', lines, number)
  redis.call('ZREM', events, string.sub(name, 17) .. number)
  redis.call('ZREM', records, name)
end
return #old
"""
)
