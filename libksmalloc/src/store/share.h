/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share: mapping pages of a sealed file in place of a process's own pages that are equal to them.
 *
 * What it is: one *slice* of the process, 2 MiB of it, against one file of a store. Pages that are equal are compared
 * byte by byte, and then the file is mapped privately in their place: a write copies a page back, as ever. What
 * lies between them and differs is carried over. In a slice that maps the file already, pages that were copied by a
 * write and are equal again are given back one by one, without a new mapping.
 * What it is not: a choice of slices or files, or the way in which writers are kept away.
 *
 * What may be shared: only pages that the caller says are wanted, which are private, readable and without flags of the program's,
 * and anonymous or copied from a file by a write. Pages that the process never touched read as zeros, and so they do afterwards:
 * where the file has a hole it is mapped over some of them, where there are few between two others they become pages of zeros,
 * else the mapping ends before them. Pages that are swapped out are left alone.
 * A slice that is shared as a whole and lies on a huge page of the file is mapped as one, until a page of it is written to or
 * given back; and again when all of it is equal again.
 * What holes of the file hold is never looked at, since that would allocate it.
 *
 * Writers: nobody else runs in the process, no signal handler, and the kernel writes nothing on anybody's behalf; the
 * caller guarantees that, and that its stack is in no page that is wanted. So a slice may be shared in any thread at
 * any moment, also in one that was stopped inside of malloc: no lock is taken, nothing is allocated, errno stays as it is,
 * and less than 1 KiB of stack is used besides what system calls of libc need.
 *
 * Failure: -errno, and memory is as it was: all that is needed is there before the first page is
 * replaced. Should the kernel give up when it has unmapped the pages already (it did so before 6.12, without memory
 * for the mapping itself), they are put back as anonymous memory.
 */
#ifndef KSM_SHARE_H
#define KSM_SHARE_H

#include "base.h"
#include "os/os.h"
#include "store/share_set.h"

/*
 * A mapping in the midst of another one, which it cuts into two, is made for as many pages at least: it costs their comparison, and
 * two records of the kernel's, which are some 200 bytes each. Heaps that keep small blocks of each size by themselves have many
 * stretches of a few pages. Where it begins or ends with another mapping fewer are enough, and one is where it takes the place of
 * one as a whole: data segments of libraries have few pages, and there are many of them.
 */
#define KSM_SHARE_LEAST 4u
#define KSM_SHARE_LEAST_AT_EDGE 2u

/*
 * What was found of a file last: from this offset on its next data begins there and ends there. It stays true of a sealed
 * file, whose holes become pages of zeros at most. hole is 0 if nothing is known.
 */
struct ksm_share_extent {
	uint64_t from;
	uint64_t data;
	uint64_t hole;
};

/* A file of a store. */
struct ksm_share_file {
	int descriptor; /* negative: no file, one that has no page */
	uint64_t bytes;
	/* NULL, or where the next look begins: to find the end of much data takes the kernel as long as to compare some of it. */
	struct ksm_share_extent *known;
};

/*
 * 0 if the descriptor is a memory file of this user's of that size, with all seals that keep it from ever being changed;
 * -EPERM, -EINVAL or the system's error if not.
 */
int ksm_share_check(const struct ksm_share_file *file);

/* True if the file has a page of the slice at this place. */
bool ksm_share_has_data(const struct ksm_share_file *file, uint64_t place);

/* What the work needs besides: memory of its own, and what the kernel tells of the process's pages. */
struct ksm_share_work {
	int pagemap;		 /* /proc/self/pagemap, of this process and not of its parent */
	uint64_t *entries;	 /* what it says of a slice */
	unsigned char *compared; /* some pages of the file */
	unsigned char *saved;	 /* what is carried over: a slice */
	int filler;		 /* by which it is put back over holes (share_fill.h), or one of these */
};

#define KSM_SHARE_NOT_ASKED (-1) /* whether there is one */
#define KSM_SHARE_NO_FILLER (-2) /* until the work is closed */

/* 0 or -errno; the memory stays until ksm_share_end(), the descriptor until ksm_share_close(). */
int ksm_share_begin(struct ksm_share_work *work);
int ksm_share_open(struct ksm_share_work *work);
void ksm_share_close(struct ksm_share_work *work);
void ksm_share_end(struct ksm_share_work *work);

struct ksm_share_slice {
	uintptr_t address; /* a multiple of KSM_SHARE_SLICE */
	uint64_t place;	   /* where the slice lies in files: all processes of the store have the same */
	struct ksm_share_set wanted; /* pages of anonymous memory that may be shared */
	/*
	 * Of them those that are mapped from other files (data segments): only what was copied from these is shared; and of all
	 * pages those that may be read only, which the file's are then, too. None is carried over between them.
	 */
	struct ksm_share_set of_file;
	struct ksm_share_set read_only;
	/* Pages that mappings begin with, and that they end with, as far as is known. */
	struct ksm_share_set begins;
	struct ksm_share_set ends;
	struct ksm_share_set mapped; /* pages that map the file; those that are shared are added */
	struct ksm_share_set copied; /* result: pages that map the file, and were copied since */
	struct ksm_share_set alone;  /* result: wanted pages that are this process's alone, and that no mapping has now */
	/*
	 * Whether the slice may be mapped as one huge page, if all of it is shared and the file has it so; and whether it is.
	 * Set by the caller from what it was.
	 */
	bool may_be_huge;
	bool is_huge;
	bool has_written; /* result: over holes: the file has got pages for that */
	/* Says of a new mapping what was said of the memory before. Must not fail, allocate or lock. */
	void (*introduce)(void *addr, size_t length);
	uint32_t gained;   /* result: own pages that are not needed any more */
	uint32_t shared;   /* result: pages that map the file, which has them, and were not copied since */
	uint32_t carried;  /* result: pages that were copied */
	uint32_t mappings; /* result: how often the file was mapped */
};

/*
 * Takes off a set what would not be shared if a file had just these pages: too few of them lie together. slice and work are
 * as ksm_share_slice() has left them.
 */
void ksm_share_keep_worthy(struct ksm_share_work *work, const struct ksm_share_slice *slice,
			   struct ksm_share_set *pages);

/* Which pages of the slice at this place the file has. 0 or -errno. */
int ksm_share_find_data(const struct ksm_share_file *file, uint64_t place, struct ksm_share_set *data);

/* Which of these pages, which map a file, show it: they were not copied by a write. 0 or -errno. */
int ksm_share_find_seen(struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *mapped,
			struct ksm_share_set *seen);

/* Which of these pages, which may be read, the file has with equal content at this place. 0 or -errno. */
int ksm_share_find_equal(const struct ksm_share_file *file, const struct ksm_share_work *work, uintptr_t address,
			 uint64_t place, const struct ksm_share_set *pages, struct ksm_share_set *equal);

/* Shares what is worth it. 0, also if that is nothing, or -errno; what was shared before it failed stays shared. */
int ksm_share_slice(const struct ksm_share_file *file, struct ksm_share_work *work, struct ksm_share_slice *slice);

#endif
