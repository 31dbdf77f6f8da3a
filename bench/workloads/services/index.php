<?php
// SPDX-License-Identifier: BSD-2-Clause
// A front controller as a framework without a cache of compiled code has it: all classes are read
// and compiled for each request, most are used once.
$folder = $_SERVER['SERVICE_DATA'] . '/classes';
spl_autoload_register(function (string $name) use ($folder): void {
	require $folder . '/' . substr($name, strlen('App\\')) . '.php';
});
$loaded = 0;
$routes = [];
for ($number = 0; is_file("$folder/Service$number.php"); $number++) {
	$name = "App\\Service$number";
	$service = new $name();
	$service->find1("key$number");
	$routes += $name::ROUTES;
	$loaded++;
}
header('Content-Type: application/json');
echo json_encode(['pid' => getmypid(), 'loaded' => $loaded + count($routes)]);
