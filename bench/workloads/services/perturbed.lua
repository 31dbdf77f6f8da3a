-- SPDX-License-Identifier: BSD-2-Clause
-- perturbed.lua STEP BYTES: as perturbed.py.
local step, size = tonumber(arg[1]), tonumber(arg[2]) - 10000
local kept, extra = {}, nil
for number = 10000, 10999 do
	if number == step then
		extra = string.rep("x", size)
	end
	local part = {}
	for row = 1, 60 do
		local id = number * 100 + row
		part[row] = { id = id, name = "user" .. id, tags = { row, number } }
	end
	kept[number - 9999] = part
end
print("ready")
io.stdout:flush()
io.read()
