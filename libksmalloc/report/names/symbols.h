/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols: from the frames of a site to functions, files and lines.
 *
 * What it is: looks frames up in the files that the process has mapped, by
 * path through the process's root and by build-id, with inlined functions; and
 * decides which frame gives a site its name.
 *
 * What it is not: a reader of memory of the process. Only files are opened.
 *
 * The name of a site is its innermost frame that is not allocation plumbing
 * (see names/plumbing.c), followed by the frame that called it.
 *
 * Trust: the files belong to the process that is looked at, so a report of
 * somebody else's process parses somebody else's ELF and DWARF. The cache on
 * disk holds answers for a file under its build-id only when the file belongs
 * to root or the caller and lies in the caller's mount namespace; answers for
 * others are kept under device, inode and time of change as well, so that a
 * forged build-id changes nothing but the answers about the forged file.
 *
 * Locking and owner: one thread. Results belong to the symbolizer and live
 * until it is destroyed.
 *
 * Failure: never. A frame that cannot be resolved is MODULE+0xOFFSET, with
 * "(file changed)" where the file is not the one that the process mapped.
 */
#ifndef KSR_NAMES_SYMBOLS_H
#define KSR_NAMES_SYMBOLS_H

#include "read/snapshot.h"

struct ksr_symbols;

/* One function: inlined ones are entries of their own. */
struct ksr_line {
	const char *function; /* or module+0xoffset; never NULL */
	const char *place;    /* "file.c:12", empty when unknown */
	const char *module;   /* last component of the module's path */
};

struct ksr_stack {
	struct ksr_line *lines; /* innermost first */
	size_t count;
	size_t deciding;  /* index of the line that names the site */
	const char *name; /* "function (file.c:12) < caller", or the label */
};

/* resolve: false gives module+0xoffset only and opens no file. */
struct ksr_symbols *ksr_symbols_create(const struct ksr_fs *fs, bool resolve);
/* Writes what is new to the cache on disk. */
void ksr_symbols_destroy(struct ksr_symbols *symbols);

/* NULL only when there is no memory. */
const struct ksr_stack *ksr_symbols_stack(struct ksr_symbols *symbols,
					  const struct ksr_snapshot *snapshot, uint32_t site);

/* A file in whose code frames had no name. */
struct ksr_unnamed {
	const char *path; /* both live as long as the symbolizer */
	const char *build_id;
	size_t frames;
};

/*
 * Those of the stacks that were asked for, the file with most frames first; files that have changed
 * since are left out. Returns how many were put into the list, which has room for so many.
 */
size_t ksr_symbols_unnamed(const struct ksr_symbols *symbols, struct ksr_unnamed *list,
			   size_t room);

#endif
