/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * saved: reads a report that was saved.
 *
 * What it is: from the JSON of a report (show/origins.h) to a picture.
 * What it is not: for other JSON, or other versions of it; of a report only what a picture has is read.
 * Invariants: nothing in the file is believed: numbers, indices and kinds are checked, texts are cleaned by the picture.
 * Locking and owner: the picture is the caller's.
 * Failure: -errno and words that follow the name of the file.
 */
#ifndef KSR_SHOW_SAVED_H
#define KSR_SHOW_SAVED_H

#include "show/picture.h"

#define KSR_SAVED_WHY 160
/* Larger files are not read. */
#define KSR_SAVED_MOST (512 * KSM_MIB)

/* The same of what is in memory; exposed for tests and fuzzing. */
int ksr_saved_parse(const char *data, size_t size, struct ksr_picture *picture, char why[KSR_SAVED_WHY]);
/* The picture was not initialised; it is to be destroyed also after a failure. */
int ksr_saved_read(const char *path, struct ksr_picture *picture, char why[KSR_SAVED_WHY]);

#endif
