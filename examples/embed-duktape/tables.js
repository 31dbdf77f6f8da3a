// SPDX-License-Identifier: BSD-2-Clause
// Three phases that keep large blocks of three kinds.

function load_rules() {
  var rules = [];
  for (var i = 0; i < 131072; i++)
    rules.push(i * 17);
  return rules;
}

function build_index() {
  var index = {};
  for (var i = 0; i < 20000; i++)
    index['key ' + i] = i;
  return index;
}

function render_pages() {
  var pages = [];
  for (var i = 1; i <= 16; i++)
    pages.push(new Array(20000).join('page ' + i + '\n'));
  return pages;
}

var kept = [phase(load_rules), phase(build_index), phase(render_pages)];
