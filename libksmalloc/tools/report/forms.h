/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forms: a report in forms other than the tables of a terminal.
 *
 * What it is: pictures on the output, their tables in JSON and CSV, and saved reports.
 * What it is not: the forms (show/form.h).
 * Invariants: what is saved is only for its owner to read, and is whole or not there.
 * Locking and owner: reads the report, sorts its sites.
 * Failure: one line, and an exit code.
 */
#ifndef KSR_REPORT_FORMS_H
#define KSR_REPORT_FORMS_H

#include "command.h"
#include "join/report.h"
#include "names/symbols.h"

/* The tables that JSON and CSV have of pictures. */
#define KSR_FORM_TABLES "form", "frames", "origins", "group_totals"

struct ksr_form_choice {
	const char *value; /* key of what forms with one value show; NULL: held */
	const char *save;  /* file, NULL: none */
	/* Set by ksr_forms_check(). */
	enum ksr_format format;
	uint64_t top;
};

/* 0 or a usage error: values that there are not, and files that are none. */
int ksr_forms_check(const struct ksr_command *command, const struct ksr_output *output, uint64_t top,
		    struct ksr_form_choice *choice);
/*
 * Saves the report if it is to be; writes a picture, or gives its tables to an emitter of JSON and CSV. What the emitter
 * was given before is shown by forms of tables alone. The exit code.
 */
int ksr_forms_write(const struct ksr_command *command, const struct ksr_fs *fs, struct ksr_report *report,
		    struct ksr_symbols *symbols, const struct ksr_form_choice *choice, struct ksr_emitter *emitter);

#endif
