/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmalloc for runtimes and extensions that must also work without it: nothing is linked, and what the library does is
 * done by plain mmap(2), or not at all, in a process that has not loaded it.
 *
 * The calls of ksmalloc/ksmalloc.h are weak where this header is included: 0 in a process without the library. A shared
 * object finds them by itself; a program has to be linked with -Wl,-z,dynamic-undefined-weak, or the linker decides
 * that they will always be missing. Late, by dlopen(3), the library is not found by who was there before.
 *
 * Threads: a heap belongs to who has it; two heaps have nothing to do with each other. All else is as in ksmalloc.h.
 */
#ifndef KSMALLOC_EMBED_H
#define KSMALLOC_EMBED_H

#include <ksmalloc/ksmalloc.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma weak ksmalloc_version
#pragma weak ksmalloc_anchor
#pragma weak ksmalloc_label_begin
#pragma weak ksmalloc_label_id
#pragma weak ksmalloc_label_begin_id
#pragma weak ksmalloc_label_end
#pragma weak ksmalloc_settled
#pragma weak ksmalloc_frame_callback
#pragma weak ksmalloc_share
#pragma weak ksmalloc_share_step
#pragma weak ksmalloc_arena_reserve
#pragma weak ksmalloc_arena_resize
#pragma weak ksmalloc_arena_set_live
#pragma weak ksmalloc_arena_release

#ifdef __cplusplus
extern "C" {
#endif

/* Is the library in this process? */
static inline int ksmalloc_embed_is_loaded(void)
{
	return ksmalloc_arena_reserve != 0 && ksmalloc_label_begin_id != 0;
}

/* --- labels --------------------------------------------------------------------------------- */

/* The id of a label, to be kept; 0 or less if there is none. */
static inline int ksmalloc_embed_label(const char *name)
{
	return ksmalloc_embed_is_loaded() ? ksmalloc_label_id(name) : 0;
}

/*
 * What this thread allocates until ksmalloc_embed_end(), which is to be given the result, belongs to the label. Any id
 * will do: with 0 or less nothing happens.
 */
static inline int ksmalloc_embed_begin(int id)
{
	int error = id > 0 ? ksmalloc_label_begin_id(id) : -EINVAL;

	return error == 0 || error == -E2BIG;
}

/* The same by name, for names that are made as they are needed. */
static inline int ksmalloc_embed_begin_name(const char *name)
{
	int error = ksmalloc_embed_is_loaded() ? ksmalloc_label_begin(name) : -EINVAL;

	return error == 0 || error == -E2BIG;
}

static inline void ksmalloc_embed_end(int begun)
{
	if (begun)
		ksmalloc_label_end();
}

/* Says who is asked what the program is executing (ksmalloc_frame_callback()). 0, or -1 if nobody will be. */
static inline int ksmalloc_embed_frames(int (*function)(void *context, unsigned int depth, struct ksmalloc_frame *frame),
					void *context)
{
	return ksmalloc_frame_callback != 0 ? ksmalloc_frame_callback(function, context) : -1;
}

/* --- a heap of the runtime's own ------------------------------------------------------------ */

struct ksmalloc_heap {
	char *base;	  /* NULL: there is none */
	size_t reserved;  /* bytes of address space */
	size_t committed; /* of these from the first on: memory */
	int is_arena;	  /* of the library's; else mapped here */
};

/* A number of bytes in whole pages; 0 if there are not so many. */
static inline size_t ksmalloc_embed_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return bytes > (size_t)-1 - page ? 0 : (bytes + page - 1) / page * page;
}

/* Reserves bytes under a label; none of them is memory yet. flags as ksmalloc_arena_reserve(). 0 or -errno. */
static inline int ksmalloc_heap_reserve(struct ksmalloc_heap *heap, const char *label, size_t bytes, unsigned int flags)
{
	void *memory = NULL;
	int error = ksmalloc_embed_is_loaded() ? ksmalloc_arena_reserve(label, bytes, flags, &memory) : -EOPNOTSUPP;

	heap->base = NULL;
	heap->reserved = ksmalloc_embed_pages(bytes);
	heap->committed = 0;
	heap->is_arena = error == 0;
	if (error == -EOPNOTSUPP) {
		if (!heap->reserved)
			return bytes ? -ENOMEM : -EINVAL;
		memory = mmap(NULL, heap->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		error = memory == MAP_FAILED ? -errno : 0;
	}
	if (!error)
		heap->base = (char *)memory;
	return error;
}

/* Makes the first bytes memory, new ones zero, and gives back the rest. 0 or -errno; then the heap is as it was. */
static inline int ksmalloc_heap_resize(struct ksmalloc_heap *heap, size_t bytes)
{
	size_t wanted = ksmalloc_embed_pages(bytes), before = heap->committed;
	size_t from = wanted < before ? wanted : before, length = wanted < before ? before - wanted : wanted - before;
	int rights = wanted > before ? PROT_READ | PROT_WRITE : PROT_NONE;
	int error = 0;

	if (wanted < bytes || wanted > heap->reserved)
		return -ENOSPC;
	if (heap->is_arena)
		error = ksmalloc_arena_resize(heap->base, bytes);
	else if (length && mmap(heap->base + from, length, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
				-1, 0) == MAP_FAILED)
		error = -errno;
	if (!error)
		heap->committed = wanted;
	return error;
}

/* Tells reports how many bytes of it are in use. */
static inline void ksmalloc_heap_set_live(struct ksmalloc_heap *heap, size_t bytes)
{
	if (heap->is_arena)
		ksmalloc_arena_set_live(heap->base, bytes);
}

/* Gives all of it back. 0 or -errno; then the heap is as it was. */
static inline int ksmalloc_heap_release(struct ksmalloc_heap *heap)
{
	int error = 0;

	if (!heap->base)
		return 0;
	if (heap->is_arena)
		error = ksmalloc_arena_release(heap->base);
	else if (munmap(heap->base, heap->reserved) != 0)
		error = -errno;
	if (!error)
		heap->base = NULL;
	return error;
}

/* --- sharing -------------------------------------------------------------------------------- */

/*
 * Where a runtime comes to rest, after its start or a collection: shares what other processes of the group have, too
 * (ksmalloc_share()). Returns 0 or more, or -errno.
 */
static inline long ksmalloc_embed_share(void)
{
	return ksmalloc_share != 0 ? ksmalloc_share() : -EOPNOTSUPP;
}

#ifdef __cplusplus
}
#endif
#endif
