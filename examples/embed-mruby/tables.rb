# SPDX-License-Identifier: BSD-2-Clause
# Three methods that keep large blocks of three kinds.

def load_rules
  rules = []
  131072.times { |i| rules << i * 17 }
  rules
end

def build_index
  index = {}
  20000.times { |i| index[i] = i }
  index
end

def render_pages
  (1..16).map { |i| "page #{i}\n" * 20000 }
end

$kept = [load_rules, build_index, render_pages]
