<?php
/* SPDX-License-Identifier: BSD-2-Clause */
/* differing.php [ARGUMENT...]: a worker that loads the same as its siblings; they differ in arguments and environment. */
$kept = [];
for ($number = 0; $number < 100000; $number++)
	$kept[] = ["id" => $number, "name" => "user$number"];
echo "ready\n";
fgets(STDIN);
