/* SPDX-License-Identifier: BSD-2-Clause */
/* worker_threads: what a worker does that has threads which go on. */
#ifndef WORKER_THREADS_H
#define WORKER_THREADS_H

#include <stdbool.h>

/* False if the command is another one. */
bool worker_obey_of_threads(const char *line);

#endif
