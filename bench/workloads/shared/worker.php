<?php
// SPDX-License-Identifier: BSD-2-Clause
// worker.php FILE TIMES: loads a JSON file as arrays so many times, says "ready" and waits for the
// end of input.
[, $path, $times] = $argv;

$records = null;
for ($i = 0; $i < $times; $i++) {
	$records = null;
	$records = json_decode(file_get_contents($path), true);
}
$last = count($records) - 1;
if ($records[$last]['id'] !== $last) {
	fwrite(STDERR, "the records are wrong\n");
	exit(1);
}
echo "ready\n";
stream_get_contents(STDIN);
