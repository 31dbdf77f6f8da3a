-- SPDX-License-Identifier: BSD-2-Clause
-- Tables and strings: builds 300,000 records, groups and sorts them, joins long strings.
local records = {}
for i = 1, 300000 do
	records[i] = { id = i, key = "key " .. (i * 7919 % 300007), value = i * 0.5 }
end
local groups = {}
for _, record in ipairs(records) do
	local group = groups[#record.key] or {}
	group[#group + 1] = record.key
	groups[#record.key] = group
end
local length = 0
for _, group in pairs(groups) do
	table.sort(group)
	length = length + #table.concat(group, ",")
end
for round = 1, 20 do
	local parts = {}
	for i = 1, 50000 do
		parts[i] = string.format("%d:%s", i, records[i].key)
	end
	length = length + #table.concat(parts, "\n")
end
assert(length > 0 and #records == 300000)
