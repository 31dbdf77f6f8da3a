/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * speedscope: a profile in the file format of speedscope.
 *
 * What it is: a sampled profile for each value that is not 0 everywhere; a sample is the stack of an origin, outermost
 * first, below its group and its program.
 * What it is not: a profile of time: the weights are bytes.
 * Invariants: samples and weights of a profile are equally many, frames are shared by all of them.
 * Locking and owner: reads the scene.
 * Failure: the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_SPEEDSCOPE_H
#define KSR_SHOW_SPEEDSCOPE_H

#include "show/scene.h"

int ksr_speedscope_write(const struct ksr_scene *scene, FILE *output);

#endif
