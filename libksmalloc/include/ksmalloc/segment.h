/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The statistics segment: what one process says about its allocation sites.
 *
 * What it is: the layout of the memory that libksmalloc publishes and that
 * the report side reads: a header, then tables whose places the header names. It holds counters, addresses and
 * file names, never the content of a block.
 *
 * What it is not: a protocol with locks. The writer never waits for a reader.
 *
 * Finding it: /proc/PID/maps has a page named "/memfd:" KSMALLOC_SEGMENT_MARKER, without rights;
 * the segment begins where that page ends. It is private memory, which is read through
 * /proc/PID/mem, or, where the user asked for it, a mapping of a file whose last path
 * component begins with KSMALLOC_SEGMENT_PREFIX and which may be read instead: then what
 * begins with start_time_ticks, pid_namespace and pid says who made it (0 in memory). The
 * name carries the pid only to keep two files apart: inside a container it is another
 * pid. Readers therefore go by the mapping, never by the name and never by the pid that
 * stands inside.
 *
 * Invariants: tables only grow, an entry is complete before the count that
 * covers it is stored (release), and no entry but a counter, a state or a mark changes
 * afterwards, and a slot that has nothing mapped: it may go to another site. Every field has a fixed width. All sizes are bytes unless the
 * name says otherwise; integers have the byte order of the machine.
 *
 * Compatibility: a reader accepts the versions from KSMALLOC_SEGMENT_OLDEST to its own and uses
 * the strides written in the header: header and records only grow at their end, and what
 * an older version has not reads as 0.
 *
 * Failure: the reader must treat each byte as hostile: offsets, counts and
 * strings are checked against the size of the mapping before they are used.
 */
#ifndef KSMALLOC_SEGMENT_H
#define KSMALLOC_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#define KSMALLOC_SEGMENT_MAGIC		"KSMALLOC"	/* 8 bytes, no NUL */
/*
 * 2 has no hints, 3 no tallies, 4 no history, 5 no store and no keeper, 6 no origins and no marks, 7 no tables of frames:
 * its origins have them themselves; 8 no statistics of origins, and no turns of marks
 */
#define KSMALLOC_SEGMENT_VERSION	9u
#define KSMALLOC_SEGMENT_OLDEST		2u
#define KSMALLOC_SEGMENT_PREFIX		"ksmalloc-segment."	/* of a file */
#define KSMALLOC_SEGMENT_MARKER		"ksmalloc-segment"	/* of the page before it */

#define KSMALLOC_MAX_FRAMES		16u
#define KSMALLOC_MAX_SITES		4096u	/* sites that are told apart; later ones count as "other" */
#define KSMALLOC_MAX_SLOTS		8192u
#define KSMALLOC_MAX_MODULES		1024u
#define KSMALLOC_MAX_TALLIES		8192u
#define KSMALLOC_MAX_ORIGINS		4096u
#define KSMALLOC_MAX_ORIGIN_FRAMES	32768u	/* of all origins, each once */
#define KSMALLOC_MAX_SCRIPT_ENTRIES	16384u	/* the same of frames of interpreters */
#define KSMALLOC_MAX_MARKS		32768u
#define KSMALLOC_MAX_STORE_FILES	64u
#define KSMALLOC_STORE_NAME		"ksmalloc-store"	/* of a memory file of the store */
#define KSMALLOC_GROUP_BYTES		64u
#define KSMALLOC_BUILD_ID_BYTES		32u
#define KSMALLOC_STRINGS_BYTES		(1024u * 1024)

/* Kinds of a statistic, as the exporter knows them. */
enum ksmalloc_stat_kind {
	KSMALLOC_STAT_GAUGE,
	KSMALLOC_STAT_COUNTER,
	KSMALLOC_STAT_PEAK,
};

/*
 * The statistics of one site: X(name, kind, help). The unit is the end of the
 * name. The segment, the report's columns, JSON, CSV and the documentation are
 * generated from this list; append only.
 */
#define KSMALLOC_SITE_STATS(X)								\
	X(live_bytes, GAUGE, "Bytes that the program asked for and has not freed")	\
	X(peak_bytes, PEAK, "Highest value of live_bytes so far")			\
	X(allocated_bytes_total, COUNTER, "Bytes asked for since the start")		\
	X(placed_bytes, GAUGE, "Bytes of live blocks that lie in the site's slots, whole pages") \
	X(slot_bytes, GAUGE, "Bytes of address space mapped for the site's slots")	\
	X(kept_bytes, GAUGE, "Bytes of freed runs that were not yet given back")	\
	X(given_back_bytes_total, COUNTER, "Bytes of freed runs returned to the kernel")	\
	X(calls_total, COUNTER, "Allocations")						\
	X(frees_total, COUNTER, "Blocks freed")						\
	X(moved_total, COUNTER, "Reallocations that copied the block")

/*
 * The statistics of one origin, of the same form: of its small blocks that were samples, in the weights of their marks.
 */
#define KSMALLOC_ORIGIN_STATS(X)							\
	X(sampled_bytes_total, COUNTER, "Bytes that its samples stood for, since the start")	\
	X(sampled_freed_bytes_total, COUNTER, "Of these, bytes of samples that were freed")

/* The statistics of the process, of the same form. */
#define KSMALLOC_PROCESS_STATS(X)							\
	X(heap_mapped_bytes, GAUGE, "Bytes that jemalloc has mapped for the region heap")	\
	X(mmap_live_bytes, GAUGE, "Bytes of the program's own private anonymous mappings") \
	X(mmap_reserved_bytes, GAUGE, "Bytes of such mappings made without access rights") \
	X(mmap_calls_total, COUNTER, "Calls of mmap that were counted")			\
	X(mmap_untracked_total, COUNTER, "Mapping calls that could not be counted exactly") \
	X(kept_bytes, GAUGE, "Bytes of freed runs of all sites that were not yet given back") \
	X(placed_live_bytes, GAUGE, "Bytes of live blocks in slots, whole pages")	\
	X(placed_sites, GAUGE, "Sites that own a slot")					\
	X(slot_collisions_total, COUNTER, "Sites whose first choice of slot was taken")	\
	X(captures_total, COUNTER, "Stacks that were walked because no cached one fitted") \
	X(sites_dropped_total, COUNTER, "Blocks counted as site other because a table was full") \
	X(grow_failed_total, COUNTER, "Slots that could not grow; the block went to jemalloc") \
	X(advise_failed_total, COUNTER, "Calls of madvise on a slot that failed")	\
	X(advise_errno, GAUGE, "errno of the last such failure, 0 if none")		\
	X(name_failed_total, COUNTER, "Slots that could not be named")			\
	X(hint_failed_total, COUNTER, "Hints that the kernel refused")			\
	X(segment_failed_total, COUNTER, "Attempts to mark the segment or to make its file that failed") \
	X(segment_errno, GAUGE, "errno of the last such failure, 0 if none")		\
	X(forks_total, COUNTER, "Times that this process is a fork away from its first ancestor") \
	X(mmap_placed_total, COUNTER, "Mappings of the program that got a place of the shared layout") \
	X(place_taken_total, COUNTER, "Places of the shared layout where something else lay") \
	X(layout_errno, GAUGE, "Why the process has not the layout of its group, 0 if it has") \
	X(hints_total, COUNTER, "Hints that the kernel took")				\
	X(hint_errno, GAUGE, "errno of the last hint that it refused, 0 if none")	\
	X(samples_total, COUNTER, "Times that pages of a site were compared with their last sample") \
	X(settled_sites, GAUGE, "Sites whose content is not written any more")		\
	X(rehints_total, COUNTER, "Changes of a site's stability that the kernel was told") \
	X(merge_now_pages_total, COUNTER, "Pages that the kernel examined because the program asked for it")

#define KSMALLOC_STAT_FIELD(name, kind, help) uint64_t name;

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_site_stats {
	KSMALLOC_SITE_STATS(KSMALLOC_STAT_FIELD)
};

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_origin_stats {
	KSMALLOC_ORIGIN_STATS(KSMALLOC_STAT_FIELD)
};

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_process_stats {
	KSMALLOC_PROCESS_STATS(KSMALLOC_STAT_FIELD)
};

/*
 * What the group's store has done for the process, of the same form. Gauges are as the last pass has found them, a
 * child of a fork counts from 0.
 */
#define KSMALLOC_SHARE_STATS(X)								\
	X(shared_bytes, GAUGE, "Bytes that are mapped from the group's store and were not written since") \
	X(gained_bytes_total, COUNTER, "Bytes of own pages that were given up for the store's")	\
	X(published_bytes_total, COUNTER, "Bytes that this process has put into the store")	\
	X(given_back_bytes_total, COUNTER, "Bytes of the store's pages that were given back, or left for own ones") \
	X(carried_bytes_total, COUNTER, "Bytes of own pages that were copied since they lie between shared ones") \
	X(files, GAUGE, "Files of the store that the process has open")			\
	X(slices_total, COUNTER, "Slices that were looked at")				\
	X(mappings_total, COUNTER, "Times that a file of the store was mapped")		\
	X(passes_total, COUNTER, "Passes that came to their end")			\
	X(failed_total, COUNTER, "Passes that a failure has ended")			\
	X(refused_total, COUNTER, "Times that the process was to make a step and stood aside") \
	X(work_us_total, COUNTER, "Microseconds that steps have taken")

/* The same of huge pages in it. */
#define KSMALLOC_HUGE_STATS(X)								\
	X(huge_bytes, GAUGE, "Bytes of those that are shared which huge pages of the store map")	\
	X(published_huge_bytes_total, COUNTER, "Bytes that this process has put on huge pages of the store")

/*
 * Of how much the shared layout tells apart, and what was more than that, of the same form. A child of a fork goes on from
 * what its parent has counted, since it has its memory.
 */
#define KSMALLOC_FORKS_APART	2u	/* a child of more forks goes on in its parent's memory; stats.forks_total has them */
#define KSMALLOC_THREADS_APART	32u	/* threads that were created, and the first one; numbers are not used again */
#define KSMALLOC_ANCHORS_APART	4096u	/* names of events */

#define KSMALLOC_BOUNDS_STATS(X)								\
	X(stretch_full_total, COUNTER, "Times that addresses set aside for one kind of memory were used up, and others taken") \
	X(anchors_dropped_total, COUNTER, "Events that were not followed since there were too many names") \
	X(threads_beyond_total, COUNTER, "Threads that have their memory in common with others")

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_bounds_stats {
	KSMALLOC_BOUNDS_STATS(KSMALLOC_STAT_FIELD)
};

/*
 * Why a process does not share with its group, or does not all that it could: X(name, key, what is so, what would
 * change it). Sentences about the process, without a subject. Append only.
 */
#define KSMALLOC_ASIDE_REASONS(X)							\
	X(NOT, "no", "takes part in sharing", "")					\
	X(OFF, "off", "was not asked to share", "start it with 'ksmalloc run --share'")	\
	X(LAYOUT, "layout", "cannot read the seed of its group",			\
	  "start it with 'ksmalloc run --share --group=NAME', and see what 'ksmalloc doctor' says of the layout") \
	X(SECURE, "secure", "runs with raised rights (setuid, file capabilities)",	\
	  "only KSM can merge its memory")						\
	X(BEGINNING, "beginning", "was refused memory or a path when it was to begin",	\
	  "give it more memory, or another folder for run-time files")			\
	X(THREADS, "threads", "has several threads, which may write at any moment",	\
	  "its group's keeper, which stops them for moments, has to run (ksmalloc keep)")		\
	X(TRACED, "traced", "is traced by a debugger", "end the debugger")		\
	X(BORROWED, "borrowed", "uses its parent's memory (vfork)", "it lasts until the child executes a program") \
	X(PARTNER, "partner", "has its memory in common with another process (CLONE_VM)", \
	  "only KSM can merge its memory")						\
	X(LOCKED, "locked", "has locked memory (mlock), which must stay where it is",	\
	  "do without mlock(2) and mlockall(2)")					\
	X(PINNED, "pinned", "has pinned memory, which devices write to", "only KSM can merge its memory") \
	X(IO_URING, "io_uring", "has an io_uring, through which the kernel writes at any moment", \
	  "switch io_uring off in the program (libuv: UV_USE_IO_URING=0)")		\
	X(AIO, "aio", "has asynchronous I/O (io_setup), by which the kernel writes at any moment", \
	  "switch asynchronous I/O off in the program")					\
	X(USERFAULTFD, "userfaultfd", "has a userfaultfd, by which another process may write", \
	  "only KSM can merge its memory")						\
	X(DEVICE, "device", "has a device open that writes to memory (graphics, vfio, RDMA, KVM, video, AF_XDP)", \
	  "only KSM can merge its memory")						\
	X(PROC, "proc", "cannot read what /proc says of it",				\
	  "start it as the user that it becomes, mount /proc where it runs, or allow its files in its sandbox") \
	X(TABLE, "table", "cannot use the table of its group",				\
	  "look who owns the file store.GROUP in the group's folder, and whether the file system is full") \
	X(DESCRIPTORS, "descriptors", "has no descriptor left", "raise RLIMIT_NOFILE (ulimit -n)") \
	X(MEMORY, "memory", "was refused memory or a mapping",				\
	  "raise RLIMIT_AS, RLIMIT_DATA or vm.max_map_count")				\
	X(NO_MEMFD, "no_memfd", "may not make memory files", "allow memfd_create(2) in its sandbox") \
	X(FILE_SIZE, "file_size", "shares what others publish and publishes nothing: its files may not become that long", \
	  "raise RLIMIT_FSIZE (ulimit -f)")						\
	X(FAILED, "failed", "could not go on", "")					\
	X(RENEWED, "renewed", "has the addresses of a seed that its group had before (--renew-seed)", \
	  "start it again; what it shares already stays shared")			\
	X(NO_ROOM, "no_room", "shares what others publish and publishes nothing: hardly any memory is left for it", \
	  "raise its control group's limits (memory.max, memory.high), or end something else")

#define KSMALLOC_ASIDE_ID(name, key, words, remedy) KSMALLOC_ASIDE_##name,

enum ksmalloc_aside {
	KSMALLOC_ASIDE_REASONS(KSMALLOC_ASIDE_ID)
	KSMALLOC_ASIDE_COUNT,
};

/* True if it shares: what keeps it from publishing keeps it from nothing else. */
static inline bool ksmalloc_aside_shares(uint32_t aside)
{
	return aside == KSMALLOC_ASIDE_NOT || aside == KSMALLOC_ASIDE_FILE_SIZE || aside == KSMALLOC_ASIDE_NO_ROOM;
}

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_share_stats {
	KSMALLOC_SHARE_STATS(KSMALLOC_STAT_FIELD)
};

/* Synchronization: each field is read and written with relaxed atomics. */
struct ksmalloc_huge_stats {
	KSMALLOC_HUGE_STATS(KSMALLOC_STAT_FIELD)
};

/* A file of the store that the process has open. Synchronization: each field is a relaxed atomic. */
struct ksmalloc_segment_store_file {
	uint64_t inode; /* 0: none */
	uint64_t bytes; /* of memory that it takes */
};

/* Since version 6: the process and its group's store. Synchronization: each field is a relaxed atomic. */
struct ksmalloc_segment_share {
	struct ksmalloc_share_stats stats;
	uint32_t aside;	      /* enum ksmalloc_aside, as of the last step */
	uint32_t aside_errno; /* what the kernel said, 0 if nothing */
	uint64_t answered;    /* the highest request of the group's table that a whole pass has followed */
	struct ksmalloc_segment_store_file files[KSMALLOC_MAX_STORE_FILES];
};

/* The process and huge pages of the store. Synchronization: each field is a relaxed atomic. */
struct ksmalloc_segment_huge {
	struct ksmalloc_huge_stats stats;
	uint64_t files[KSMALLOC_MAX_STORE_FILES]; /* bytes of each of the files above that huge pages map */
};

/* One table of the segment: where it starts, how wide a record is, how many there are. */
struct ksmalloc_segment_table {
	uint64_t offset;	/* from the start of the segment */
	uint32_t stride;	/* bytes of one record; at least what this version defines */
	uint32_t capacity;	/* records there is room for */
	uint32_t count;		/* records in use. Synchronization: atomic, stored with release. */
	uint32_t reserved;
};

enum ksmalloc_layout {
	KSMALLOC_LAYOUT_PRIVATE,
	KSMALLOC_LAYOUT_SHARED,
};

/*
 * Why a keeper could not have a process share when it last tried: X(name, words), where the words follow
 * "it is left alone: ". Append only.
 */
#define KSMALLOC_KEEPER_REASONS(X)							\
	X(NONE, "it is not")								\
	X(FORBIDDEN, "the kernel forbids to trace it (another user, not dumpable, kernel.yama.ptrace_scope)") \
	X(TRACED, "a debugger or strace has it")					\
	X(FILTERS, "it has filtered its system calls since it was started")		\
	X(PARTNER, "another process runs in its memory")				\
	X(WRITERS, "its memory is locked, or something else than its threads may write to it (a device, io_uring)") \
	X(HELD_UP, "a thread of it cannot be stopped in time")				\
	X(STOPPED, "it is stopped by a signal")						\
	X(BUSY, "its threads were where they must not be disturbed")			\
	X(UNSUPPORTED, "this kernel or machine, or its shadow stacks, do not allow it")	\
	X(FAILED, "the pass failed")

#define KSMALLOC_KEEPER_REASON(name, words) KSMALLOC_KEEPER_##name,
enum ksmalloc_keeper_reason {
	KSMALLOC_KEEPER_REASONS(KSMALLOC_KEEPER_REASON)
};

/* What a process offers to a keeper (ksmalloc/keeper.h); all of it is 0 where nothing is shared. */
struct ksmalloc_segment_keeper {
	uint64_t store;			/* processes with the same have one store */
	uint64_t share;			/* the function: a pass, for so many microseconds */
	uint64_t room_address;		/* what else a call needs: ksmalloc/room.h */
	uint64_t room_bytes;
	uint64_t entry_begin;
	uint64_t entry_failed;
	uint64_t entry_end;
	uint64_t entry_park;
	uint32_t filters;		/* of seccomp, when the room was offered */
	uint32_t reason;		/* enum ksmalloc_keeper_reason; the keeper writes it */
	uint64_t due_ms;		/* when it wants to make its next pass, on the machine's clock. Synchronization: atomic. */
};

#define KSMALLOC_MAX_BINS 48u

/*
 * Where jemalloc counts its small blocks: each arena that there is has, for each size class, a word of 8 bytes at an offset
 * from its beginning. Readers who can look into memory know by that how much samples of small blocks stand for.
 */
struct ksmalloc_segment_bins {
	uint64_t arenas_address; /* of an array of pointers to arenas, some of which are 0; 0: not told */
	uint32_t arena_count;	 /* entries of that array that may be used */
	uint32_t count;		 /* of size classes */
	struct {
		uint32_t bytes; /* of a block */
		uint32_t offset;
	} bins[KSMALLOC_MAX_BINS];
};

#define KSMALLOC_MAX_KEPT 3u

/*
 * Where jemalloc counts the pages that were freed and that it keeps: words of 8 bytes at offsets from the beginning of each
 * arena that struct ksmalloc_segment_bins tells of; their sum is so many pages. Nobody has these, and none of them is in use.
 * What is not known: which pages they are; how many of them were never written, and so are not resident; what is free inside of
 * slabs of which some block is in use; and what arenas keep that were made after the library has started.
 */
struct ksmalloc_segment_kept {
	uint32_t count; /* of offsets; 0: not told */
	uint32_t offsets[KSMALLOC_MAX_KEPT];
};

struct ksmalloc_segment_header {
	char magic[8];
	uint32_t version;
	uint32_t header_bytes;
	uint64_t size_bytes;		/* of the whole segment */
	char boot_id[40];		/* /proc/sys/kernel/random/boot_id, NUL terminated */
	uint64_t start_time_ticks;	/* field 22 of /proc/PID/stat */
	uint64_t pid_namespace;		/* inode of /proc/self/ns/pid */
	int32_t pid;			/* as seen in that namespace */
	uint32_t page_bytes;
	uint32_t layout;		/* enum ksmalloc_layout */
	uint32_t threshold_bytes;	/* blocks from this size on are placed */
	uint64_t span_base;		/* 0 while there is no slot */
	uint64_t span_bytes;		/* length of the half that holds slots */
	/* In the shared layout, else 0: where jemalloc's memory and the program's mappings lie. */
	uint64_t heap_base;
	uint64_t heap_bytes;
	uint64_t mapping_base;
	uint64_t mapping_bytes;
	char group[KSMALLOC_GROUP_BYTES];	/* KSMALLOC_GROUP, may be empty */
	char library_version[16];
	struct ksmalloc_segment_table sites;
	struct ksmalloc_segment_table slots;
	struct ksmalloc_segment_table modules;
	struct ksmalloc_segment_table strings;	/* stride 1; a string is NUL terminated, 0 is the empty one */
	struct ksmalloc_process_stats stats;
	struct ksmalloc_segment_table tallies; /* since version 4 */
	/* Since version 5: where the history lies (ksmalloc/history.h), in the process's own memory; 0: nowhere. */
	uint64_t history_address;
	struct ksmalloc_segment_share share; /* since version 6 */
	struct ksmalloc_segment_keeper keeper; /* since version 6 */
	struct ksmalloc_segment_huge huge; /* since version 6, in headers that are long enough */
	struct ksmalloc_segment_table origins; /* since version 7 */
	struct ksmalloc_segment_table marks; /* since version 7 */
	uint64_t marks_dropped_total; /* since version 7: times that memory could not be marked. Synchronization: atomic. */
	uint64_t origins_dropped_total; /* since version 7: times that a stack, or all that was of a script in it, had no room. Synchronization: atomic. */
	/* Since version 7: a bit for each enum ksmalloc_language that has an interpreter loaded. */
	uint32_t languages;		/* whose frames can be read */
	uint32_t languages_unknown;	/* of a version or build whose frames cannot */
	/* Since version 8: frames of origins. Entry 0 is none. */
	struct ksmalloc_segment_table script_frames;	/* struct ksmalloc_segment_script_frame */
	struct ksmalloc_segment_table frames;		/* uint64_t, as those of a site */
	struct ksmalloc_segment_bins bins;		/* since version 8 */
	struct ksmalloc_bounds_stats bounds;		/* since version 8, in headers that are long enough */
	uint64_t keeper_entry_rest; /* the same: one more address of struct ksmalloc_segment_keeper */
	struct ksmalloc_segment_kept kept; /* since version 9, in headers that are long enough */
};

/* What became of a site. Site 0 is always "other": blocks of sites beyond a limit. */
enum ksmalloc_site_state {
	KSMALLOC_SITE_TRACKED,		/* has not yet held enough for a slot: its blocks lie in a nursery */
	KSMALLOC_SITE_PLACED,		/* owns a slot */
};

/* Flags of a site. */
#define KSMALLOC_SITE_ADVISED	(1u << 0)	/* its slots are marked MADV_MERGEABLE */
#define KSMALLOC_SITE_LABEL	(1u << 1)	/* named by the program; label_string is its name */
#define KSMALLOC_SITE_DENIED	(1u << 2)	/* the policy or the filter says not to advise it */
#define KSMALLOC_SITE_OTHER	(1u << 3)	/* the site "other" */

/* A frame packs a module index (upper 16 bits) and an address relative to that module's load bias. */
#define KSMALLOC_FRAME_MODULE_SHIFT	48
#define KSMALLOC_FRAME_OFFSET_MASK	((UINT64_C(1) << KSMALLOC_FRAME_MODULE_SHIFT) - 1)
/* In the place of a module, in origins only: the address is one of the process's own, outside of every file (JIT). */
#define KSMALLOC_FRAME_NO_MODULE	0xffffu

/*
 * The hint that a kernel with the project's patches was given for a site's slots: the site's id in
 * bits 0 to 47, priority, stability and a flag. PROVENANCE, bit 55, is not used yet.
 */
#define KSMALLOC_HINT_SITE_MASK		((UINT64_C(1) << 48) - 1)
#define KSMALLOC_HINT_PRIORITY_SHIFT	48	/* 4 bits: weight, 0 as if there were no hint */
#define KSMALLOC_HINT_STABILITY_SHIFT	52	/* 2 bits: enum ksmalloc_stability */
#define KSMALLOC_HINT_PEERS		(UINT64_C(1) << 54)

enum ksmalloc_stability {
	KSMALLOC_STABILITY_UNKNOWN,
	KSMALLOC_STABILITY_VOLATILE,	/* is written again and again */
	KSMALLOC_STABILITY_SETTLED,	/* is not written any more */
};

/*
 * Sites of hints on memory that belongs to no site, in the shared layout only. No site has
 * so small an id, but by a chance of one in 2^46.
 */
enum ksmalloc_hint_region {
	KSMALLOC_HINT_HEAP = 1,		/* jemalloc's memory */
	KSMALLOC_HINT_MAPPINGS = 2,	/* the program's own */
	KSMALLOC_HINT_DATA = 3,		/* data segments */
	KSMALLOC_HINT_NURSERIES = 4,
};

struct ksmalloc_segment_site {
	uint64_t id;		/* 48 bits, equal in all processes that run the same binaries */
	uint32_t state;		/* enum ksmalloc_site_state. Synchronization: atomic. */
	uint32_t flags;		/* Synchronization: atomic. */
	uint32_t frame_count;
	uint32_t label_string;	/* offset in the string table */
	struct ksmalloc_site_stats stats;
	/* Return addresses as the unwinder gave them, innermost first; symbolisers look up frame - 1. */
	uint64_t frames[KSMALLOC_MAX_FRAMES];
	uint64_t hint;		/* given for all of its slots, 0 if none was. Synchronization: atomic. */
	/* enum ksmalloc_stability, also where the kernel takes no hints. Synchronization: atomic. */
	uint32_t stability;
	uint32_t reserved;
};

/*
 * What one thread did at one site, so that it can count without a lock. To be added to the site's own
 * statistics: calls, frees, allocated bytes, and allocated less freed bytes to live_bytes, which is
 * negative (modulo 2^64) where a thread has freed what another one allocated. cached_bytes, which the
 * thread has freed and keeps at hand, is part of the site's placed_bytes; it is to be taken off there
 * and added to kept_bytes.
 */
struct ksmalloc_segment_tally {
	uint32_t site;		/* index in the table of sites. Synchronization: atomic. */
	uint32_t reserved;
	/* Synchronization: written by one thread, read with relaxed atomics. */
	uint64_t calls_total;
	uint64_t frees_total;
	uint64_t allocated_bytes_total;
	uint64_t freed_bytes_total;
	uint64_t cached_bytes;
	uint64_t reserved_words[2]; /* a cache line for each: threads count all the time */
};

/* Whose frame it is: X(name, key, what people call it). Append only. */
#define KSMALLOC_LANGUAGES(X)								\
	X(NATIVE, "native", "C")							\
	X(PYTHON, "python", "Python")							\
	X(PHP, "php", "PHP")								\
	X(RUBY, "ruby", "Ruby")								\
	X(PERL, "perl", "Perl")								\
	X(LUA, "lua", "Lua")								\
	X(SCRIPT, "script", "script")

#define KSMALLOC_LANGUAGE_ID(name, key, words) KSMALLOC_LANGUAGE_##name,
enum ksmalloc_language {
	KSMALLOC_LANGUAGES(KSMALLOC_LANGUAGE_ID)
	KSMALLOC_LANGUAGE_COUNT,
};

#define KSMALLOC_MAX_SCRIPT_FRAMES 12u

/* A frame of an interpreter: where the script was, as the program itself calls its files and functions. */
struct ksmalloc_segment_script_frame {
	uint32_t file_string;		/* offsets in the string table */
	uint32_t function_string;
	uint32_t line;			/* 0: not known */
	uint32_t language;		/* enum ksmalloc_language, never NATIVE */
};

/*
 * Who asked for memory: the call stack, and above it what the interpreter was executing. Not a site: a site says where
 * blocks are placed and has C frames only; blocks of one site may have many origins. Origin 0 is "not known".
 */
struct ksmalloc_segment_origin {
	/*
	 * 48 bits, equal in all processes that run the same files and scripts. Code outside of every file is not part
	 * of it: origins that differ in that alone have the same.
	 */
	uint64_t id;
	uint16_t frame_count;		/* as in a site */
	uint16_t script_frame_count;
	uint32_t reserved;
	/*
	 * Where its frames are in their tables, innermost first: stacks have most of their frames in common, so that
	 * each is there once.
	 */
	uint16_t script_frames[KSMALLOC_MAX_SCRIPT_FRAMES];
	uint16_t frames[KSMALLOC_MAX_FRAMES];
	struct ksmalloc_origin_stats stats;
};

/* What a mark is of. */
enum ksmalloc_mark_kind {
	KSMALLOC_MARK_MAPPING,		/* memory that the program mapped itself: all of it is marked */
	KSMALLOC_MARK_LARGE,		/* a block in a slot; sampled, where many are small */
	KSMALLOC_MARK_SMALL,		/* a sampled block in jemalloc's memory */
	KSMALLOC_MARK_POOL,		/* memory that an allocator which is not ours took to cut it up */
	/*
	 * Memory of jemalloc, whose blocks those of SMALL stand for; without an origin, or in the shared layout with that of
	 * who has made it grow
	 */
	KSMALLOC_MARK_HEAP,
	KSMALLOC_MARK_STACK,		/* of a thread; its origin is the call that made the thread */
	KSMALLOC_MARK_KIND_COUNT,
};

/*
 * Memory whose origin is known. Marks come and go: an entry whose address is 0 is free, and the count only says how far
 * entries were ever used. The others are samples of what lies around them, and `weight` says how much one stands for.
 * Synchronization: each field is a relaxed atomic, and the address is stored last, with release. A reader that copies an
 * entry while it changes has one wrong mark.
 */
struct ksmalloc_segment_mark {
	uint64_t address;
	uint64_t bytes;			/* of this block or mapping */
	uint64_t weight;		/* bytes that it stands for; the same where each block is marked */
	uint32_t origin;		/* index in the table of origins */
	uint32_t kind;			/* enum ksmalloc_mark_kind */
	/* How often the entry was taken: with another number it is another mark, though all else may be the same. */
	uint64_t turn;
};

/* Flags of a slot. */
#define KSMALLOC_SLOT_ADVISED	(1u << 0)
#define KSMALLOC_SLOT_NURSERY	(1u << 1)	/* blocks of sites that have no slot of their own */
#define KSMALLOC_SLOT_EXEMPT	(1u << 2)	/* must not merge, though the process may be mergeable as a whole */

struct ksmalloc_segment_slot {
	uint64_t base;
	uint64_t mapped_bytes;	/* [base, base + mapped_bytes) is mapped. Synchronization: atomic. */
	uint32_t site;		/* index in the table of sites. Synchronization: atomic. */
	uint32_t flags;		/* Synchronization: atomic. */
};

/* The path of the module that is the program itself: readers put /proc/PID/exe in its place. */
#define KSMALLOC_PROGRAM_PATH	"/proc/self/exe"

struct ksmalloc_segment_module {
	uint64_t bias;		/* run-time address less link-time address */
	uint64_t begin;		/* lowest and highest mapped address at the time it was seen */
	uint64_t end;
	uint32_t path_string;	/* offset in the string table */
	uint32_t build_id_bytes;	/* 0 if the file has none: the id is then made of its path and first page */
	uint8_t build_id[KSMALLOC_BUILD_ID_BYTES];
};

#endif
