// SPDX-License-Identifier: BSD-2-Clause
// Loads data, and for each line of standard input renews half of it for so many seconds, collects garbage, and compares all
// of it with what it should be; says how much was wrong.
'use strict';
const N = 120000;
const records = [];
const version = new Int32Array(N);

function fill(i) {
	records[i] = { id: i, name: `record ${i} of ${version[i]}`, value: i * 1.5 + version[i], tags: [i % 7, version[i]] };
}

function wrong() {
	let count = 0;
	for (let i = 0; i < N; i++) {
		const r = records[i], v = version[i];
		count += r.id !== i || r.name !== `record ${i} of ${v}` || r.value !== i * 1.5 + v || r.tags[0] !== i % 7 || r.tags[1] !== v;
	}
	return count;
}

function renew() {
	for (let i = 0; i < N; i += 2) {
		version[i]++;
		fill(i);
	}
	global.gc();
}

for (let i = 0; i < N; i++) {
	fill(i);
}
global.gc();
console.log('ready');
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
	const end = Date.now() + 1000 * Number(line.split(' ')[1] || 0);
	let count = wrong();
	while (Date.now() < end) {
		renew();
		count += wrong();
	}
	console.log(count);
});
