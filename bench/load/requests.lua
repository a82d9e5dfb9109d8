-- Requests for wrk: `wrk -s requests.lua URL -- KIND USERS_FILE PEERS`.
-- KIND is send, conversations or messages. USERS_FILE has a line "userId token" per user; user i talks with the PEERS users
-- that follow. Every send has a clientMessageId of its own and 160 bytes of content.

local next_thread = 1

function setup(thread)
  thread:set("thread_number", next_thread)
  next_thread = next_thread + 1
end

local ids, headers, count = {}, {}, 0
local kind, peers
local sequence = 0
local content = string.rep("parley160!", 16)

function init(args)
  kind = args[1]
  peers = tonumber(args[3])
  for line in io.lines(args[2]) do
    local id, token = line:match("^(%S+) (%S+)$")
    count = count + 1
    ids[count] = id
    headers[count] = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
  end
  math.randomseed(os.time() * 100 + thread_number)
  run = os.time() .. "-" .. thread_number .. "-" .. math.random(1, 1000000) .. "-"
end

-- Decimal ids of up to 19 digits: by length, then by text.
local function conversation(a, b)
  if #a < #b or (#a == #b and a < b) then
    return a .. "-" .. b
  end
  return b .. "-" .. a
end

function request()
  local user = math.random(1, count)
  if kind == "conversations" then
    return wrk.format("GET", "/v1/conversations?pageSize=20", headers[user])
  end
  local peer = 1 + (user + math.random(1, peers) - 1) % count
  if kind == "messages" then
    return wrk.format("GET", "/v1/conversations/" .. conversation(ids[user], ids[peer]) .. "/messages?pageSize=50",
      headers[user])
  end
  sequence = sequence + 1
  return wrk.format("POST", "/v1/messages", headers[user],
    '{"recipientId":"' .. ids[peer] .. '","clientMessageId":"' .. run .. sequence .. '","messageContent":"' .. content .. '"}')
end

-- One line that the caller reads.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT requests=%d duration_us=%d failed=%d p50_us=%d p99_us=%d\n", summary.requests,
    summary.duration, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
