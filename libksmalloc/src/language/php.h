/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * php: which functions of a script PHP is executing; versions 7.4 to 8.4.
 *
 * What it is: frames of the program's own functions, methods as class::method, and {main} for what stands in a file outside
 * of functions. Where frames begin has been the same since 7.4; where a function has its file is seen by what PHP says
 * itself of the innermost one, and where that fits nowhere there are no frames.
 * What it is not: for functions of PHP itself.
 *
 * A PHP without threads runs in one: only the process's first is asked. Of builds with threads (ZTS) each thread's
 * own globals are asked, but not while they are set up.
 */
#ifndef KSM_LANGUAGE_PHP_H
#define KSM_LANGUAGE_PHP_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_php __attribute__((visibility("hidden")));
extern const struct ksm_reader ksm_language_php_threads __attribute__((visibility("hidden")));

#endif
