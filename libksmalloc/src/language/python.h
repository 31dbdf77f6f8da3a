/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python: which functions of a script CPython is executing; versions 3.9 to 3.13.
 *
 * What it is: the current thread's frames, read where the interpreter has them, since each call that would give them
 * makes objects. Names are co_filename and co_qualname (co_name before 3.11), as the program has them.
 * What it is not: for other threads, for builds with Py_DEBUG or without the lock (3.13t).
 *
 * A thread's state is asked from the interpreter's own thread-specific pointer, and must name this thread. Frames that are
 * being set up, and such as stand for C, are left out.
 */
#ifndef KSM_LANGUAGE_PYTHON_H
#define KSM_LANGUAGE_PYTHON_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_python __attribute__((visibility("hidden")));

#endif
