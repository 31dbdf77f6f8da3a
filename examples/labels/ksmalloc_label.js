// SPDX-License-Identifier: BSD-2-Clause
// label('load model', () => { ... }): its result; Buffers and other memory of malloc's that it allocates belong to that site,
// until it returns (not: until what it awaits is done). Without the addon (addon.c), or without the library, it is the call.
'use strict';
let addon = null;
try {
  addon = require(process.env.LABEL_ADDON || './ksmalloc_label.node');
} catch {}

exports.label = function label(name, work) {
  const begun = addon !== null && addon.begin(name);
  try {
    return work();
  } finally {
    if (begun)
      addon.end();
  }
};
