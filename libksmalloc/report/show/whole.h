/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whole: all that is known, as JSON.
 *
 * What it is: every table of a report, and its origins with their stacks, by report.schema.json.
 * What it is not: a choice of tables: that is the command's (tools/report).
 * Locking and owner: reads what it is given.
 * Failure: -ENOMEM, or what became of writing.
 */
#ifndef KSR_SHOW_WHOLE_H
#define KSR_SHOW_WHOLE_H

#include <stdio.h>

#include "join/report.h"
#include "names/symbols.h"
#include "show/picture.h"

int ksr_whole_write(const struct ksr_fs *fs, struct ksr_report *report, struct ksr_symbols *symbols,
		    const struct ksr_picture *picture, FILE *output);

#endif
