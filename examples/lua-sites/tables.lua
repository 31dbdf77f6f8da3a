-- SPDX-License-Identifier: BSD-2-Clause
-- Three functions that keep large blocks of three kinds.

local function load_rules()
	local rules = {}
	for i = 1, 131072 do
		rules[i] = i * 17
	end
	return rules
end

local function build_index()
	local index = {}
	for i = 1, 60000 do
		index["key " .. i] = i
	end
	return index
end

local function render_pages()
	local pages = {}
	for i = 1, 16 do
		pages[i] = string.rep("page " .. i .. "\n", 20000)
	end
	return pages
end

-- Globals, so that the collector leaves them alone.
rules, index, pages = load_rules(), build_index(), render_pages()
