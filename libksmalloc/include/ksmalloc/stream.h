/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: where new memory goes in a worker, so that equal workers have equal memory there.
 *
 * What it is: the contract between libksmalloc.so and an allocator of objects that is loaded beside
 * it, as libksmalloc-python.so is. In the shared layout a worker that its master has forked inherits
 * memory that is half used, and what is half used differs a little from child to child. What goes on
 * there differs from then on, for every object is shifted, and so is every pointer to it. A stream
 * is a place of its own for new memory, chosen only by what equal workers have in common: the depth
 * of forks, the ordinal of the thread, and the last anchor, which is a file or a library that was opened
 * for the first time.
 *
 * What it is not: an allocator. Memory of a stream is given out in large pieces and never taken back;
 * what is done with it is the follower's affair. Nor a lock: the follower protects what it has.
 *
 * How to use it: the calls are looked up as weak symbols, for the library may be missing or
 * older. Where ksmalloc_stream_follow() does not return 0 none of the others may be called.
 *
 * Threads: every call may be made from any thread. Signals: ksmalloc_stream() alone is safe there.
 */
#ifndef KSMALLOC_STREAM_H
#define KSMALLOC_STREAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef KSMALLOC_EXPORT
#define KSMALLOC_EXPORT
#endif

/* Numbers of streams are below this. Different places may share a number. */
#define KSMALLOC_STREAMS 1024

/* What ksmalloc_stream_map() takes and gives is a multiple of this. */
#define KSMALLOC_STREAM_ALIGNMENT 65536

/* The stream that the calling thread's new memory belongs to; equal in equal workers. */
KSMALLOC_EXPORT unsigned int ksmalloc_stream(void);

/*
 * The stream to use instead of this one by who has memory for count streams of a thread only, a power of two: anchors
 * choose among as many then. Streams of one thread, and no others, have the same one among 1.
 */
KSMALLOC_EXPORT unsigned int ksmalloc_stream_among(unsigned int stream, unsigned int count);

/*
 * A number of the last anchor that has changed the calling thread's stream, equal in equal workers: it tells anchors
 * apart that lead to one stream, and its bits say nothing of the stream's number. The highest one is set if the name was
 * none of a file of code, as a module or a library: there are fewer of these, and often much is loaded behind them.
 * 0 if there was none at this depth.
 */
#define KSMALLOC_ANCHOR_OF_DATA (UINT64_C(1) << 63)
KSMALLOC_EXPORT uint64_t ksmalloc_stream_anchor(void);

/*
 * From now on moved() is called in a thread whenever that thread's stream has changed, and in the
 * child of a fork in its only thread. It may be called inside of a signal handler, or between fork and exec:
 * it may write variables of its thread (of the initial-exec model), and call what is safe in a handler.
 *
 * There is one follower in a process. Returns 0; -ENOTSUP where there are no streams, as in the
 * private layout; -EBUSY if there is a follower already.
 */
KSMALLOC_EXPORT int ksmalloc_stream_follow(void (*moved)(void));

/*
 * New memory of a stream: bytes of zeros, aligned to KSMALLOC_STREAM_ALIGNMENT, of which bytes is a
 * multiple. The same calls give the same addresses in equal workers, whatever other streams were given.
 * It is never given back; MADV_DONTNEED of whole pages of it is allowed, and unlike munmap(2) makes
 * them zeros again. NULL if there is none.
 */
KSMALLOC_EXPORT void *ksmalloc_stream_map(unsigned int stream, size_t bytes);

/*
 * An allocator begins to cut up this part of a stream's memory: reports tell it as that of who makes it do so. Not each
 * call is looked at, so that calls for a few pages cost little.
 */
KSMALLOC_EXPORT void ksmalloc_stream_taken(void *memory, size_t bytes);

/* All memory of all streams lies in [*begin, *end), which is constant for the process. */
KSMALLOC_EXPORT void ksmalloc_stream_range(uintptr_t *begin, uintptr_t *end);

/*
 * An anchor as ksmalloc_anchor(3) passes it, for moments that there are few of, a dozen in the life of a process: small
 * blocks go on in one of all streams, where others choose among as many as the memory in use is worth, and below 4 MiB
 * that is one. It takes some 100 KiB.
 */
KSMALLOC_EXPORT void ksmalloc_stream_rare_anchor(const void *name, size_t length);

/*
 * To be called once, by the first thread, when the runtime has copied its arguments and the environment, and before it
 * sets up anything else: workers differ in these. Small blocks do not come from the memory again that they came from
 * before, not even where an anchor would lead there. An anchor is passed for it. It takes some 100 KiB. Nothing is done
 * where there are no streams, or in the child of a fork.
 */
KSMALLOC_EXPORT void ksmalloc_stream_leave_start(void);

/*
 * From now on grown() is called in a thread that takes memory for small blocks which held none before. That is inside
 * malloc, with locks held: it may read and write variables (of the initial-exec model), and call nothing that allocates
 * or waits. There is one who watches in a process. Returns as ksmalloc_stream_follow().
 */
KSMALLOC_EXPORT int ksmalloc_stream_watch(void (*grown)(void));

/*
 * From now on mapped() is called before each mmap(2) that the program makes, in the thread that makes it, with the place
 * in the program that it is called from. That may be a signal handler: mapped() may call what is safe there, and leaves
 * errno as it is. It returns 0, or how far behind the others the mapping is to be put, if the shared layout gives it its
 * place: there, or at the next place that is free. There is one such follower in a process; a later one takes its place.
 */
KSMALLOC_EXPORT void ksmalloc_mappings_follow(size_t (*mapped)(const void *caller, size_t bytes));

#ifdef __cplusplus
}
#endif

#endif
