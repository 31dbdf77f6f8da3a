-- SPDX-License-Identifier: BSD-2-Clause
local label = require 'ksmalloc_label'

local function load_rules()
	local rules = {}
	for i = 1, 131072 do
		rules[i] = i * 17
	end
	return rules
end

local function render_pages(count)
	local pages = {}
	for i = 1, count do
		pages[i] = string.rep('page ' .. i .. '\n', 20000)
	end
	return pages
end

-- Globals, so that the collector leaves them alone.
rules = label('load rules', load_rules)
pages = label(nil, render_pages, 16)
assert(not pcall(label, 'never', error, 'expected'))
print('done', #rules + #pages)
io.stdout:flush()
io.read()
