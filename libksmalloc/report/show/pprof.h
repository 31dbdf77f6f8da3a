/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pprof: a profile for pprof.
 *
 * What it is: one compressed profile with a sample type for each value, labels for group and program, mappings with their
 * build-ids, functions and lines.
 * What it is not: addresses. A location is a function and a line that was looked up before; pprof has nothing to look up.
 * Invariants: values are bytes. Message after message is written, so that memory does not grow with the stacks; a reader
 * takes the concatenation of messages for one.
 * Locking and owner: reads the scene.
 * Failure: -ENOMEM, -EIO.
 */
#ifndef KSR_SHOW_PPROF_H
#define KSR_SHOW_PPROF_H

#include "show/scene.h"

int ksr_pprof_write(const struct ksr_scene *scene, FILE *output);

#endif
