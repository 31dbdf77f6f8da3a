-- SPDX-License-Identifier: BSD-2-Clause
-- Loads data, waits for lines on standard input, and says whether the data is what it was.
local wait = assert(package.loadlib(arg[1], "share_wait"))
local N = 400000 -- so many that what each lua has of its own hardly counts
local data = {}
for i = 1, N do
	data[i] = { id = i, name = "record " .. i, value = i * 1.5 }
end
collectgarbage()
print("ready")
io.stdout:flush()

local function memory()
	local size = {}
	for line in io.lines("/proc/self/smaps_rollup") do
		local key, value = line:match("^([%w_]+):%s+(%d+)")
		if key then size[key] = tonumber(value) end
	end
	local out = { tostring(size.Pss - size.Pss_Shmem) }
	-- The shell's parent is this process.
	local list = io.popen("for f in /proc/$PPID/fd/*; do case $(readlink $f) in *memfd:ksmalloc-store*) " ..
		"stat -L -c %i:%b $f;; esac; done")
	for entry in list:lines() do
		local inode, blocks = entry:match("(%d+):(%d+)")
		out[#out + 1] = inode .. ":" .. blocks // 2
	end
	list:close()
	return table.concat(out, " ")
end

io.stdin:setvbuf("no")
for line in io.lines() do
	if line:match("^memory") then
		wait()
		print(memory())
	else
		local wrong = 0
		for i = 1, N do
			local d = data[i]
			if d.id ~= i or d.name ~= "record " .. i or d.value ~= i * 1.5 then wrong = wrong + 1 end
		end
		print(wrong)
	end
	io.stdout:flush()
end
