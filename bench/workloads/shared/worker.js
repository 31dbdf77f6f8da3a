// SPDX-License-Identifier: BSD-2-Clause
// worker.js FILE BUFFERS TIMES: loads a JSON file as objects, with an index over them, and fills
// buffers of 64 KiB, so many times; says "ready" and waits for the end of input.
'use strict';
const fs = require('fs');

const [path, buffers, times] = [process.argv[2], ...process.argv.slice(3).map(Number)];

function load() {
	const records = JSON.parse(fs.readFileSync(path, 'utf8'));
	const byEmail = new Map(records.map((record) => [record.email, record]));
	const blocks = [];
	let state = 1;
	for (let i = 0; i < buffers; i++) {
		const block = Buffer.alloc(65536);
		for (let at = 0; at < block.length; at += 4) {
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
			block.writeUInt32LE(state, at);
		}
		blocks.push(block);
	}
	return { records, byEmail, blocks };
}

let data;
for (let i = 0; i < times; i++) {
	data = null;
	data = load();
}
if (data.byEmail.size !== data.records.length) {
	throw new Error('the records are wrong');
}
process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.on('end', () => process.exit(data.blocks.length === buffers ? 0 : 1));
