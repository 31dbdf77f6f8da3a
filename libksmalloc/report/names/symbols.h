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
 * Which frame gives a stack its name, naming.h says.
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

#include "names/naming.h"
#include "read/snapshot.h"

struct ksr_symbols;

/* How stacks are to be named; all texts are the caller's. */
struct ksr_naming {
	bool resolve;	       /* false gives module+0xoffset only and opens no file */
	const char *machinery; /* lines that are asked before those of the table; may be NULL */
	size_t machinery_bytes;
	const char *sysroot; /* as for ksr_symbols_sysroot(); may be NULL */
};

struct ksr_symbols *ksr_symbols_create(const struct ksr_fs *fs, bool resolve);
/* The same with all of it. NULL without memory, and where the lines or the folder are no good. */
struct ksr_symbols *ksr_symbols_create_for(const struct ksr_fs *fs, const struct ksr_naming *naming);
/* The table that decides on names; what is added to it counts for stacks that are asked for later. */
struct ksr_machinery *ksr_symbols_machinery(struct ksr_symbols *symbols);
/*
 * Looks for the files of the processes below this folder, which has those of another machine, and for their debug
 * information in its usr/lib/debug. -errno when there is no such folder. Before stacks are asked for.
 */
int ksr_symbols_sysroot(struct ksr_symbols *symbols, const char *folder);
/* Writes what is new to the cache on disk. */
void ksr_symbols_destroy(struct ksr_symbols *symbols);

/* NULL only when there is no memory. */
const struct ksr_stack *ksr_symbols_stack(struct ksr_symbols *symbols,
					  const struct ksr_snapshot *snapshot, uint32_t site);

/* The same for an origin: the frames of the interpreter, innermost first, then those of the call stack. */
const struct ksr_stack *ksr_symbols_origin(struct ksr_symbols *symbols,
					   const struct ksr_snapshot *snapshot, uint32_t origin);

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
