/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The malloc family under its usual names. Each call is one comparison and a
 * jump: to jemalloc below the threshold, to a slow path in heap.c from it on.
 * C++ operators call malloc and need nothing of their own. In a process that has another
 * malloc (late.h) the gate sends all calls to the slow paths, and these send what allocates there.
 *
 * Calls that Valgrind does not know (it takes over malloc, free, realloc and the
 * aligned ones by the addresses of their names) go through those that it knows,
 * so that a block is never made by one allocator and freed by the other.
 */
#include "alias.h"
#include "calls/heap.h"
#include "system/late.h"
#include "os/os.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* Exported, and called as a function by others of this file. */
#define KNOWN KSM_EXPORT __attribute__((noinline))

/* Offsets of members of struct ksm_gate, for the assembler. */
#define GATE_THRESHOLD "0"
#define GATE_END       "8"

/* C23; glibc 2.36 does not declare them. */
KSM_EXPORT void free_sized(void *block, size_t size);
KSM_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);

/* The slow paths of heap.c take their callers from where they are jumped to. */
__attribute__((used, noinline)) static void *malloc_slow(size_t size)
{
	return ksm_unlikely(ksm_late()) ? ksm_late_family.malloc(size) : ksm_heap_malloc_slow(size);
}

__attribute__((noinline)) static void *calloc_slow(size_t count, size_t size)
{
	return ksm_unlikely(ksm_late()) ? ksm_late_family.calloc(count, size) : ksm_heap_calloc_slow(count, size);
}

/* A block that is there already is changed by whoever made it. */
__attribute__((noinline)) static void *realloc_slow(void *block, size_t size)
{
	return !block && ksm_unlikely(ksm_late()) ? ksm_late_family.malloc(size) :
						    ksm_heap_realloc_slow(block, size);
}

__attribute__((noinline)) static void *aligned_slow(size_t alignment, size_t size)
{
	return ksm_unlikely(ksm_late()) ? ksm_late_family.memalign(alignment, size) :
					  ksm_heap_aligned_slow(alignment, size);
}

KSM_INLINE void *allocate_aligned(size_t alignment, size_t size)
{
	return ksm_likely(ksm_span_is_small_entry(size)) ? ksm_je_aligned_alloc(alignment, size) :
							   aligned_slow(alignment, size);
}

#ifdef __x86_64__
/*
 * The same as below, with two instructions before jemalloc's first: compilers do not yet make a
 * conditional jump of a conditional tail call.
 */
__asm__(".pushsection .text, \"ax\", @progbits\n"
	".globl malloc\n"
	".type malloc, @function\n"
	".p2align 4\n"
	"malloc:\n"
	"	.cfi_startproc\n"
	"	cmpq ksm_gate+" GATE_THRESHOLD "(%rip), %rdi\n"
	"	jb ksm_je_malloc\n"
	"	jmp malloc_slow\n"
	"	.cfi_endproc\n"
	".size malloc, . - malloc\n"
	".globl free\n"
	".type free, @function\n"
	".p2align 4\n"
	"free:\n"
	"	.cfi_startproc\n"
	"	cmpq ksm_gate+" GATE_END "(%rip), %rdi\n"
	"	jae ksm_je_free\n"
	"	jmp ksm_heap_free_slow\n"
	"	.cfi_endproc\n"
	".size free, . - free\n"
	".popsection");
static_assert(offsetof(struct ksm_gate, entry_threshold) == 0 && offsetof(struct ksm_gate, entry_end) == 8,
	      "the offsets above");
#else
KSM_EXPORT void *malloc(size_t size)
{
	return ksm_likely(ksm_span_is_small_entry(size)) ? ksm_je_malloc(size) : malloc_slow(size);
}

KNOWN void free(void *block)
{
	ksm_heap_free(block);
}
#endif

KSM_EXPORT void *calloc(size_t count, size_t size)
{
	/* Neither factor alone says how large the product is, but two small ones do. */
	if (ksm_likely((count | size) < UINT32_MAX && ksm_span_is_small_entry(count * size)))
		return ksm_je_calloc(count, size);
	return calloc_slow(count, size);
}

KNOWN void *realloc(void *block, size_t size)
{
	if (ksm_likely(ksm_span_is_small_entry(size) && ksm_span_is_beyond(block)))
		return ksm_je_realloc(block, size);
	return realloc_slow(block, size);
}

KSM_EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}

KSM_EXPORT void free_sized(void *block, size_t size)
{
	(void)size;
	free(block);
}

KSM_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(block);
}

KSM_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (ksm_unlikely(!ksm_is_power_of_two(alignment))) {
		errno = EINVAL;
		return NULL;
	}
	return allocate_aligned(alignment, size);
}

/* memalign(3) rounds an alignment that is not a power of two up, as glibc's does. */
KSM_EXPORT void *memalign(size_t alignment, size_t size)
{
	if (ksm_unlikely(!ksm_is_power_of_two(alignment))) {
		if (alignment > SIZE_MAX / 2) {
			errno = EINVAL;
			return NULL;
		}
		alignment = alignment < 2 ? 1 :
					    (size_t)2 << (63 - __builtin_clzll(alignment));
	}
	return allocate_aligned(alignment, size);
}

KSM_EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
	int saved_errno = errno;
	void *block;

	if (ksm_unlikely(!ksm_is_power_of_two(alignment) || alignment % sizeof(void *)))
		return EINVAL;
	block = allocate_aligned(alignment, size);
	if (ksm_unlikely(!block)) {
		errno = saved_errno;
		return ENOMEM;
	}
	*result = block;
	return 0;
}

KNOWN void *valloc(size_t size)
{
	return allocate_aligned(KSM_PAGE, size);
}

KSM_EXPORT void *pvalloc(size_t size)
{
	size_t whole;

	if (__builtin_add_overflow(size, KSM_PAGE - 1, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	return valloc(ksm_align_down(whole, KSM_PAGE));
}

KSM_EXPORT size_t malloc_usable_size(void *block)
{
	return block ? ksm_heap_usable_size(block) : 0;
}

KSM_EXPORT int malloc_trim(size_t pad)
{
	(void)pad;
	return ksm_heap_trim();
}

/*
 * The other names of the same functions. Programs and libraries that wrap malloc call libc's by
 * these, and pair them with free: one that stayed libc's would hand out blocks that are not ours.
 * __libc_mallinfo and __libc_mallopt are beside what they name, in info.c. glibc 2.26 took cfree out of
 * its headers, and still has it for programs that were linked before.
 */
KSM_ALIAS(__libc_malloc, malloc);
KSM_ALIAS(__libc_free, free);
KSM_ALIAS(cfree, free);
KSM_ALIAS(__libc_calloc, calloc);
KSM_ALIAS(__libc_realloc, realloc);
KSM_ALIAS(__libc_reallocarray, reallocarray);
KSM_ALIAS(__libc_memalign, memalign);
KSM_ALIAS(__libc_valloc, valloc);
KSM_ALIAS(__libc_pvalloc, pvalloc);
KSM_ALIAS(__posix_memalign, posix_memalign);
