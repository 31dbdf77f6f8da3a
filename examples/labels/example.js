// SPDX-License-Identifier: BSD-2-Clause
'use strict';
const { label } = require('./ksmalloc_label.js');
const fs = require('fs');

const buffers = (bytes, count) => Array.from({ length: count }, (_, number) => Buffer.alloc(bytes, number + 1));
const model = label('load model', () => buffers(200000, 16));
const rest = label('warm up', () => {
  const pages = label('page cache', () => buffers(100000, 16));
  try {
    label('never', () => { throw new Error(); });
  } catch {
    return [...pages, ...buffers(50000, 32)];
  }
});
console.log('done', model.length + rest.length);
fs.readSync(0, Buffer.alloc(1));
