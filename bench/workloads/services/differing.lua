-- SPDX-License-Identifier: BSD-2-Clause
-- differing.lua [ARGUMENT...]: a worker that loads the same as its siblings; they differ in arguments and environment.
local kept = {}
for number = 1, 100000 do
	kept[number] = { id = number, name = "user" .. number }
end
print("ready")
io.stdout:flush()
io.read()
