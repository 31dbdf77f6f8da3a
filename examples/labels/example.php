<?php
// SPDX-License-Identifier: BSD-2-Clause
require __DIR__ . '/ksmalloc_label.php';

function repeated(int $bytes, int $count): array
{
    $strings = [];
    for ($i = 0; $i < $count; $i++) {
        $strings[] = str_repeat(chr(65 + $i), $bytes);
    }
    return $strings;
}

$model = ksmalloc_label('load model', fn() => repeated(200000, 16));
$rest = ksmalloc_label('warm up', function () {
    $pages = ksmalloc_label('page cache', fn() => repeated(100000, 16));
    try {
        ksmalloc_label('never', fn() => throw new Exception());
    } catch (Exception $expected) {
        return [$pages, repeated(50000, 32)];
    }
});
echo 'done ', count($model) + count($rest[0]) + count($rest[1]), "\n";
fgets(STDIN);
