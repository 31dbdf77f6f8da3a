<?php
// SPDX-License-Identifier: BSD-2-Clause
// ksmalloc_label('load model', function () { ... }): its result; what it allocates by malloc (USE_ZEND_ALLOC=0) belongs to that
// site. Without the library, or without FFI, it is the call alone.
function ksmalloc_label(string $name, callable $function)
{
    static $library = null;
    if ($library === null) {
        try {
            $library = FFI::cdef('int ksmalloc_label_begin(const char *name); void ksmalloc_label_end(void);');
        } catch (Throwable $missing) {
            $library = false;
        }
    }
    $begun = $library && in_array($library->ksmalloc_label_begin($name), [0, -7]); // -E2BIG is to be ended, too
    try {
        return $function();
    } finally {
        if ($begun) {
            $library->ksmalloc_label_end();
        }
    }
}
