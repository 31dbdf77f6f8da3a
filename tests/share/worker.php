<?php
// SPDX-License-Identifier: BSD-2-Clause
// Loads data, and for each line of standard input renews half of it for so many seconds, collects garbage, and compares all
// of it with what it should be; says how much was wrong.
const N = 120000;
$records = [];
$version = array_fill(0, N, 0);

function fill(int $i): void {
	global $records, $version;
	$v = $version[$i];
	$records[$i] = ['id' => $i, 'name' => "record $i of $v", 'value' => $i * 1.5 + $v, 'tags' => [$i % 7, $v]];
}

function wrong(): int {
	global $records, $version;
	$count = 0;
	foreach ($records as $i => $r) {
		$v = $version[$i];
		$count += $r !== ['id' => $i, 'name' => "record $i of $v", 'value' => $i * 1.5 + $v, 'tags' => [$i % 7, $v]];
	}
	return $count;
}

function renew(): void {
	global $version;
	for ($i = 0; $i < N; $i += 2) {
		$version[$i]++;
		fill($i);
	}
	gc_collect_cycles();
	gc_mem_caches();
	// Others have time to share meanwhile, and this one, too.
	usleep(1000);
}

for ($i = 0; $i < N; $i++) {
	fill($i);
}
echo "ready\n";
stream_set_blocking(STDIN, false);
while (!feof(STDIN)) {
	$ready = [STDIN];
	$none = null;
	stream_select($ready, $none, $none, null);
	while (($line = fgets(STDIN)) !== false) {
		$end = microtime(true) + (float)(explode(' ', trim($line))[1] ?? 0);
		$count = wrong();
		while (microtime(true) < $end) {
			renew();
			$count += wrong();
		}
		echo "$count\n";
	}
}
