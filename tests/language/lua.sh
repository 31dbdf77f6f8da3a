# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Scripts in Lua whose functions are known, for whatever executes them, beyond lib.sh.
# shellcheck source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

script=$work/truth.lua
cat >"$script" <<'SCRIPT'
local Store = {}
function Store:fill(n)
  self.data = {}
  for i = 1, n do
    self.data[i] = "value number " .. i -- line of fill
  end
end
function repeated()
  local t = {}
  for i = 1, 3000 do t[i] = string.rep("ab", 1000) .. i end -- line of repeated
  return t
end
local function hashes()
  local h = {}
  for i = 1, 100000 do
    h["k" .. i] = i -- line of hashes
  end
  return h
end
local function generate()
  local t = {}
  for i = 1, 3000 do
    t[i] = string.rep("xyz", 1000) .. i -- line of generate
  end
  coroutine.yield(t)
end
Store:fill(100000) -- calls fill
t = repeated()
h = hashes()
co = coroutine.create(generate)
local _, g = coroutine.resume(co) -- resumes
local k = (function() local t = {} -- begins
  for i = 1, 3000 do t[i] = string.rep("k", 3000) .. i end -- line of unnamed
  return t
end)()
print("ready")
io.stdout:flush()
io.read()
SCRIPT
lua_truth() { # command: it executes what stands there
	origins_of "$@" "$script"
	at lua fill "line of fill"
	called lua 'main chunk' "calls fill"
	at lua repeated "line of repeated"
	at lua hashes "line of hashes"
	# A coroutine's first function was called by nobody in it.
	at lua "function:$(line_of "$script" "function generate")" "line of generate"
	called lua 'main chunk' "resumes"
	at lua "function:$(line_of "$script" "-- begins")" "line of unnamed"
	has "languages 20, unknown 0" "$*"
}

cat >"$work/made.lua" <<'SCRIPT'
local load = loadstring or load
kept = {}
function keep(t) kept[#kept + 1] = t end
for line = 81, 140 do -- the first ones take what was there before
  load(("\n"):rep(line - 1) .. "function make() local t = {} for i = 1, 40 do t[i] = ('made'):rep(2000) .. #kept .. i end keep(t) end",
       "=made")()
  make()
  make = nil
  collectgarbage()
end
local function calls(n)
  if n < 2 then keep(("c"):rep(3000) .. #kept) return 1 end
  return calls(n - 1) + calls(n - 2) -- line of calls
end
calls(12)
print("ready")
io.stdout:flush()
io.read()
SCRIPT

lua_made() { # command
	origins_of "$@" "$work/made.lua"
	has_made lua make "$*"
	has_once calls "$(line_of "$work/made.lua" "line of calls")" "$*"
}
