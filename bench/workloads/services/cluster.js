// SPDX-License-Identifier: BSD-2-Clause
// cluster.js PORT WORKERS: node's cluster module, each worker with 50,000 records from JSON.
'use strict';
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const path = require('path');

const [port, workers] = process.argv.slice(2).map(Number);

function work() {
	const file = path.join(process.env.SERVICE_DATA, 'records.json');
	const records = JSON.parse(fs.readFileSync(file, 'utf8'));
	http.createServer((request, response) => {
		const number = Number(new URL(request.url, 'http://localhost').searchParams.get('n'));
		const part = [];
		for (let step = 0; step < 200; step++)
			part.push(records[(number * 7919 + step) % records.length]);
		const length = JSON.stringify(part).length;
		response.setHeader('Content-Type', 'application/json');
		response.end(JSON.stringify({ pid: process.pid, loaded: records.length, length }));
	}).listen(port, '127.0.0.1');
}

if (cluster.isPrimary) {
	for (let number = 0; number < workers; number++)
		cluster.fork();
	cluster.on('exit', () => process.exit(1));
	process.on('SIGTERM', () => {
		cluster.removeAllListeners('exit');
		cluster.disconnect(() => process.exit(0));
		for (const worker of Object.values(cluster.workers))
			worker.process.kill('SIGTERM');
	});
} else {
	work();
}
