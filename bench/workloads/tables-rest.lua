-- SPDX-License-Identifier: BSD-2-Clause
-- tables.lua, whose data is then freed; waits at rest until its input ends.
dofile((arg[0]:gsub("tables%-rest", "tables")))
collectgarbage()
collectgarbage()
print("at rest")
io.stdout:flush()
io.read("a")
