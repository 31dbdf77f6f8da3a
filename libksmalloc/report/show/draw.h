/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draw: makes a picture of a report.
 *
 * What it is: the origins of a report by group and program, with the names of their frames; and what memory is left that
 * no origin is known of, so that sums are those of the report.
 * What it is not: a measurement. Of several groups or programs the processes that were read are added up again, by
 * themselves.
 *
 * Which frames are shown: those of a script are outside of those that the interpreter ran for them, and inside of its
 * own loop; the loop and what called it say nothing about the script.
 *
 * Invariants: a program is what the kernel calls the process.
 * Locking and owner: reads the report; the picture is the caller's, and needs neither the report nor the symbols afterwards.
 * Failure: -ENOMEM.
 */
#ifndef KSR_SHOW_DRAW_H
#define KSR_SHOW_DRAW_H

#include "join/report.h"
#include "names/symbols.h"
#include "show/picture.h"

/* The picture was not initialised; it is to be destroyed also after a failure. */
int ksr_draw(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_symbols *symbols,
	     struct ksr_picture *picture);

#endif
