/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmalloc: a malloc whose large blocks the kernel can merge between processes.
 *
 * Most programs need none of these calls: LD_PRELOAD=libksmalloc.so or linking
 * with -lksmalloc replaces malloc and the rest of its family. The calls here
 * are for programs that know more about their memory than a call stack tells:
 * interpreters that name sites, and programs that ask for merging explicitly. Those that must also work
 * without the library include ksmalloc/embed.h.
 *
 * Threads: every call may be made from any thread. Labels belong to the thread
 * that set them. Signals: none of these calls is async-signal-safe.
 */
#ifndef KSMALLOC_KSMALLOC_H
#define KSMALLOC_KSMALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KSMALLOC_VERSION_STRING "0.1.0"

#ifndef KSMALLOC_EXPORT
#define KSMALLOC_EXPORT
#endif

/* The version of the library that is loaded, as "major.minor.patch". */
KSMALLOC_EXPORT const char *ksmalloc_version(void);

/*
 * The malloc family under names of its own, for programs that keep their libc's
 * malloc beside it. Results, errors and errno are those of malloc(3).
 */
KSMALLOC_EXPORT void *ksmalloc_malloc(size_t size);
KSMALLOC_EXPORT void *ksmalloc_calloc(size_t count, size_t size);
KSMALLOC_EXPORT void *ksmalloc_realloc(void *block, size_t size);
KSMALLOC_EXPORT void *ksmalloc_reallocarray(void *block, size_t count, size_t size);
KSMALLOC_EXPORT void ksmalloc_free(void *block);
KSMALLOC_EXPORT void *ksmalloc_aligned_alloc(size_t alignment, size_t size);
KSMALLOC_EXPORT int ksmalloc_posix_memalign(void **result, size_t alignment, size_t size);
KSMALLOC_EXPORT size_t ksmalloc_usable_size(const void *block);

/*
 * Gives freed memory back to the kernel now: freed runs of all sites and what
 * jemalloc caches. Returns 1 if memory was given back, else 0.
 */
KSMALLOC_EXPORT int ksmalloc_trim(void);

/*
 * Tells of an event that equal processes of a group have in common, whatever came before it: a module
 * is loaded, a phase of the start begins. In the shared layout the small blocks that the calling thread allocates
 * from now on lie at addresses which follow from the event's name, so that a difference before it
 * (one more string, a longer name) does not move them. Nothing happens in the private layout, in
 * threads that were not there at the start (or at the last fork), and for a name that was told before. May be
 * called from signal handlers.
 */
KSMALLOC_EXPORT void ksmalloc_anchor(const void *name, size_t length);

/* What a runtime of the program's own is executing. Texts may be NULL; a line of 0 is not known. */
struct ksmalloc_frame {
	const char *file;
	const char *function;
	unsigned int line;
};

/*
 * Says who is asked what the program is executing in a language of its own, so that reports name memory by that: up to
 * 12 frames. The function fills the frame that is so deep, 0 being the innermost, and returns 0, or something else if
 * there is none.
 *
 * It is called in the middle of calls that allocate or map memory, where the library asks who does so anyway, in the
 * thread that does, and in signal handlers: it must not allocate, take a lock or wait, and looks at what the calling
 * thread alone writes. The texts must stay until that call returns. They are shown to whoever may read the process's
 * statistics, cut to 1000 and 250 bytes. Compilers take it for granted that malloc() reads no variable of the program:
 * those that the function looks at are volatile, or atomic.
 *
 * NULL: nobody is asked any more; a call that has begun may still be under way. To be called before there are other
 * threads that allocate. Returns 0, or -1 with errno EPERM where the option language is off.
 */
KSMALLOC_EXPORT int ksmalloc_frame_callback(int (*function)(void *context, unsigned int depth,
							    struct ksmalloc_frame *frame),
					    void *context);

/*
 * Begins a label: until the matching ksmalloc_label_end(), blocks that this
 * thread allocates belong to the site called name, whatever the call stack is.
 * Labels nest, 16 deep; the innermost counts. The name is copied; equal names
 * are the same site in every process. At most 64 bytes of it are used.
 *
 * Returns 0, -EINVAL if name is NULL or empty, -E2BIG if 16 labels are open (the
 * matching ksmalloc_label_end() must be called all the same), -ENOMEM.
 */
KSMALLOC_EXPORT int ksmalloc_label_begin(const char *name);

/*
 * The same in two steps, for who names millions of allocations: the id of a label, once in a process and its children,
 * and a label that is opened by it: no name is copied or looked up, and no lock is taken. Ids of different processes have
 * nothing to do with each other.
 *
 * ksmalloc_label_id() returns the id, more than 0; -EINVAL if name is NULL or empty; -ENOMEM.
 * ksmalloc_label_begin_id() returns what ksmalloc_label_begin() returns; -EINVAL, and no label was opened, if id is
 * none (a failure of ksmalloc_label_id() among others).
 */
KSMALLOC_EXPORT int ksmalloc_label_id(const char *name);
KSMALLOC_EXPORT int ksmalloc_label_begin_id(int id);

/* Ends the innermost label of this thread. Without an open label it does nothing. */
KSMALLOC_EXPORT void ksmalloc_label_end(void);

/*
 * Allocates size bytes in the site's slot from its first block on, whatever the
 * size and however little the site holds; the slot is advised unless the policy
 * is "none". Use it for data that is known to be equal in several processes.
 * Returns the block, to be released with free(), or NULL with errno ENOMEM.
 */
KSMALLOC_EXPORT void *ksmalloc_malloc_mergeable(size_t size);

/*
 * Allocates size bytes that are never marked mergeable, whatever the policy
 * says: for keys and other content that must not leak by the timing of merges.
 * Returns the block, to be released with free(), or NULL with errno ENOMEM.
 * A later realloc() keeps the block private.
 */
KSMALLOC_EXPORT void *ksmalloc_malloc_private(size_t size);

/*
 * Says that the content of the block's site will not be written again: of all blocks that
 * were allocated where this one was. With NULL: of all sites that have a slot now. A kernel
 * that takes hints then merges it at first sight. It is no promise that binds: written
 * blocks stay correct, and the library notices when sites are written to after all.
 *
 * Returns 0; -EINVAL if block is no placed block, or a private one; -EOPNOTSUPP if the kernel takes no
 * hints or the site is not advised; -EAGAIN, -ENOMEM if the kernel or the library is short of
 * memory: nothing is lost but the hint.
 */
KSMALLOC_EXPORT int ksmalloc_settled(const void *block);

/*
 * Asks the kernel to merge the pages of a block now, in the caller's time; with NULL those of all
 * placed memory, in the shared layout also of small blocks and mappings. They merge with equal
 * pages of the same user, as far as the kernel has seen those. flags is 0 or KSMALLOC_MERGE_TRY: rather
 * fail than wait for the kernel's own scan.
 *
 * Returns the number of pages that were examined (not: merged), or -EINVAL if block is no placed
 * block or may not merge, or flags has other bits; -EOPNOTSUPP if the kernel cannot do it;
 * -EBUSY if KSM does not run; -EAGAIN if it would have had to wait, or memory is short. An error after
 * some pages is not told.
 */
KSMALLOC_EXPORT long ksmalloc_merge_now(const void *block, unsigned int flags);
#define KSMALLOC_MERGE_TRY 1u

/*
 * Shares pages of this process now, where the option share is on: a whole pass, in the caller's time. Pages
 * that other processes of the group have at the same addresses are mapped from one file, without KSM; writing to one
 * copies it. What only this process has is noted, so that the next one which has it, too, publishes it.
 *
 * Returns the number of own pages that are not needed any more, or -EOPNOTSUPP if the option is off or the layout is
 * not shared; -EBUSY if the process has other threads, is traced, or is a child of vfork(2); -EPERM if it has locked
 * or pinned memory, or the kernel or a device writes to its memory (io_uring, asynchronous I/O); or what failed.
 * Memory is as it was then.
 */
KSMALLOC_EXPORT long ksmalloc_share(void);

/*
 * The same in small steps, for loops that wait for events: goes on for about so many microseconds if a
 * pass is due or under way. Returns how many milliseconds later there is more to do, 0 for at once, or an error as
 * above; -EINTR if a signal has come meanwhile whose handler ends calls that wait (no SA_RESTART): it has run, and there
 * may be more to do. libksmalloc-share.so calls it before calls of libc that wait.
 */
KSMALLOC_EXPORT long ksmalloc_share_step(unsigned int microseconds);

/*
 * Labelled arenas, for runtimes that have a heap of their own: bytes of address space are reserved under a label, none of
 * which is memory yet. *arena is their first address, and what the other calls know the arena by. In the shared layout it
 * is the same in every process of the group which has as many arenas of that label and size, whatever else it has
 * allocated before. The memory merges and is shared as that of the label's blocks would be, or never does if flags is
 * KSMALLOC_ARENA_PRIVATE; reports show it as the label's.
 *
 * Returns 0; -EINVAL if label is NULL or empty, bytes is 0, or flags has other bits; -ENOMEM; -EOPNOTSUPP where the library
 * stands aside (a sanitizer has the program's memory): then take mmap(2), as ksmalloc/embed.h does.
 */
KSMALLOC_EXPORT int ksmalloc_arena_reserve(const char *label, size_t bytes, unsigned int flags, void **arena);
#define KSMALLOC_ARENA_PRIVATE 1u

/*
 * Makes the first bytes of the arena memory, in whole pages: it grows by zeros, or shrinks and gives back what lies behind.
 * What stays is as it was. Returns 0; -ENOSPC if that is more than was reserved; -ENOMEM: the arena is as it was.
 */
KSMALLOC_EXPORT int ksmalloc_arena_resize(void *arena, size_t bytes);

/*
 * Tells reports how many bytes of the arena are in use, after a collection for example; before the first call all that
 * is memory counts. More than that counts as that.
 */
KSMALLOC_EXPORT void ksmalloc_arena_set_live(void *arena, size_t bytes);

/* Gives the arena back, address space too. Returns 0, or -ENOMEM: the arena is as it was. */
KSMALLOC_EXPORT int ksmalloc_arena_release(void *arena);

#ifdef __cplusplus
}
#endif
#endif
