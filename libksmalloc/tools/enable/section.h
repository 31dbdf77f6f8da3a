/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * section: what [X-Ksmalloc] in a unit's files asks for.
 *
 * What it is: the section of the unit's own file and of any drop-in, by whomever it was written, as one: of a setting the
 * last one counts, and one to nothing is as none. A section with any setting has the service share, unless it says Share=no.
 * What it is not: a reader of other sections. systemd leaves those alone whose names begin with X-.
 * Locking and owner: pure.
 * Failure: -EINVAL, with a sentence in why that names the setting and says what it takes.
 */
#ifndef KSR_ENABLE_SECTION_H
#define KSR_ENABLE_SECTION_H

#include "read/fs.h"

#define KSR_SECTION "X-Ksmalloc"

struct ksr_section {
	bool shares;
	char group[64]; /* as the unit is called, if no other is named */
	char profile[64];
};

/* files: all files of the unit, each behind a line "# PATH". */
int ksr_section_read(const struct ksr_text *files, const char *unit, struct ksr_section *section, char *why, size_t bytes);
/* A unit as a group: "web@1.service" is web-1, and "web@.service", all of whose instances have one, is web. */
void ksr_section_name_group(const char *unit, char group[64]);
/* yes is 1, no is 0, in all words that systemd has for them; -1 for what is neither. */
int ksr_section_boolean(const char *value);

#endif
