-- SPDX-License-Identifier: BSD-2-Clause
-- worker.lua COUNT TIMES: builds COUNT nested tables with strings so many times, says "ready" and
-- waits for the end of input.
local count, times = tonumber(arg[1]), tonumber(arg[2])

local function build()
	local records = {}
	for i = 1, count do
		records["key " .. i] = {
			id = i,
			name = "user " .. i * 7919 % count,
			tags = { "tag " .. i % 1009, "tag " .. i % 997 },
			address = { street = "street " .. i % 50021, number = i % 1000 },
		}
	end
	return records
end

local records
for _ = 1, times do
	records = nil
	records = build()
end
assert(records["key " .. count].id == count)
io.write("ready\n")
io.flush()
io.read("a")
