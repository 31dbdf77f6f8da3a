/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machinery: which functions and scripts lie between a program's own code and the allocator?
 *
 * What it is: a table of patterns, which is data (machinery.list, where its form stands), and questions to it.
 * What it is not: a reader of files; names are the caller's.
 * Invariants: the first line that fits decides; lines that were added stand before those of the table.
 * Locking and owner: the table owns its lines; one thread.
 * Failure: NULL or -ENOMEM without memory; -EINVAL for a text that has not the form, with what is wrong.
 */
#ifndef KSR_NAMES_MACHINERY_H
#define KSR_NAMES_MACHINERY_H

#include "base.h"

/* Longer lines, and more of them, are refused: every name is compared with each. */
#define KSR_MACHINERY_LINE 512
#define KSR_MACHINERY_MOST 4096

/* The lines of machinery.list, made of it by the build; NULL ends them. */
extern const char *const ksr_machinery_table[];

struct ksr_machinery;

/* The table as it is compiled in. */
struct ksr_machinery *ksr_machinery_create(void);
void ksr_machinery_destroy(struct ksr_machinery *machinery);
/* Adds the lines of a text, of which none is kept if one is wrong: then why says which. */
int ksr_machinery_add(struct ksr_machinery *machinery, const char *text, size_t bytes, char *why, size_t why_bytes);

/*
 * Does this function name nothing? module is the last component of a path. *what becomes what the memory is that it
 * takes, or NULL where the table does not say; it lives as long as the machinery.
 */
bool ksr_machinery_has(const struct ksr_machinery *machinery, const char *function, const char *module,
		       const char **what);
/*
 * Does the script belong to a language or a package, and not to the program? Bytes of the path up to what names it
 * there ("/usr/lib/python3.11/" of "/usr/lib/python3.11/json/decoder.py"), or 0.
 */
size_t ksr_machinery_script(const struct ksr_machinery *machinery, const char *path);

#endif
