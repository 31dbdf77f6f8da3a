/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space: what lies where in one process.
 *
 * What it is: the mappings of a process as regions with names: slots of sites,
 * jemalloc's memory, the program's own mappings, brk, stacks, the data of each
 * file; and what the process is (its ids, clocks and random bytes), which is
 * what else two equal programs differ in.
 *
 * What it is not: a reader of pages, and no names of sites: those need symbols.
 *
 * Invariants: ranges are in ascending order, do not overlap, and each names an
 * existing region. A region's base is the address that others of the same
 * identity in another process are compared from; 0 for regions that have no
 * identity but their addresses.
 *
 * Locking and owner: a space owns all that it points to; one thread.
 *
 * Failure: -errno. What only refines the picture (threads, random bytes, a
 * segment that is damaged) is left out without an error.
 */
#ifndef KSR_READ_SPACE_H
#define KSR_READ_SPACE_H

#include "read/identity.h"
#include "read/snapshot.h"
#include "read/status.h"
#include "read/store_files.h"

enum ksr_region_kind {
	KSR_REGION_SITE,
	KSR_REGION_NURSERY,
	KSR_REGION_HEAP,     /* jemalloc's memory, known in the shared layout only */
	KSR_REGION_MAPPINGS, /* the program's own mappings, the same */
	KSR_REGION_BRK,
	KSR_REGION_STACK,
	KSR_REGION_THREAD_STACK,
	KSR_REGION_FILE,      /* private mappings of a file, and the bss behind them */
	KSR_REGION_ANONYMOUS, /* all other private anonymous memory */
	KSR_REGION_FOREIGN,   /* shared mappings and the kernel's own: KSM never takes them */
	KSR_REGION_KINDS,
};

struct ksr_region {
	enum ksr_region_kind kind;
	uint32_t site;	  /* index in the snapshot, of slots */
	uint64_t id;	  /* of the site */
	uint32_t ordinal; /* tells regions of equal kind, id and name apart */
	bool is_program;  /* the file that was executed */
	uint64_t base;
	const char *name; /* the file's path, or what the kind is called; never NULL */
	char *owned;
};

struct ksr_range {
	uint64_t begin;
	uint64_t end;
	uint32_t region;
	bool populated; /* smaps counts anonymous memory in the mapping, or it is of a store */
	uint64_t store; /* the inode of a group's store's file that is mapped there, privately, in the place of own memory, or 0 */
	uint64_t store_offset; /* of begin, in bytes */
};

struct ksr_space {
	pid_t pid;
	bool has_segment;
	int segment_error; /* why not, as ksr_snapshot_create() tells it */
	struct ksr_snapshot snapshot; /* valid with has_segment */
	struct ksr_status status;
	struct ksr_identity identity;
	struct ksr_store_files store_files; /* that ranges name */
	struct ksr_range *ranges;
	size_t range_count;
	struct ksr_region *regions;
	uint32_t region_count;
	uint64_t page_bytes;
};

#define KSR_REGION_NONE UINT32_MAX

int ksr_space_create(const struct ksr_fs *fs, pid_t pid, struct ksr_space *space,
		     char why[KSR_WHY_BYTES]);
void ksr_space_destroy(struct ksr_space *space);

/* Which range is the first that ends behind an address; range_count if there is none. */
size_t ksr_space_first_behind(const struct ksr_space *space, uint64_t address);

/* The range that holds an address, NULL when nothing is mapped there. */
const struct ksr_range *ksr_space_find(const struct ksr_space *space, uint64_t address);
/* Do both map the same place of the same store's file there? */
bool ksr_space_same_store(const struct ksr_space *first, uint64_t at, const struct ksr_space *second, uint64_t other);
/* "small blocks", "stack" and such; for files and sites what a table calls all of them. */
const char *ksr_region_kind_name(enum ksr_region_kind kind);

/*
 * For each region of first the region of second that is the same thing in the
 * other process, or KSR_REGION_NONE. The caller frees the array; NULL without memory.
 */
uint32_t *ksr_space_match(const struct ksr_space *first, const struct ksr_space *second);

/* Pure parts, exposed for tests and fuzzing. */

/*
 * Builds ranges and regions of the text of smaps; the rest of the space must be filled in. fs is
 * for the files' program headers; without it no file is opened, and a bss is anonymous memory.
 */
int ksr_space_parse(const struct ksr_fs *fs, struct ksr_space *space, const struct ksr_text *smaps,
		    const char *program, const struct ksr_stacks *stacks);
/* What an ELF file whose first bytes these are takes in memory, with its bss; 0 when it is none. */
uint64_t ksr_image_bytes(const void *data, size_t bytes);
#endif
