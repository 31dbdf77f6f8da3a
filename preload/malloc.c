/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The malloc family under its usual names. Each call is one comparison and a
 * jump: to jemalloc below the threshold, to a slow path in heap.c from it on.
 * C++ operators call malloc and need nothing of their own.
 *
 * Calls that Valgrind does not know (it takes over malloc, free, realloc and the
 * aligned ones by the addresses of their names) go through those that it knows,
 * so that a block is never made by one allocator and freed by the other.
 */
#include "heap.h"
#include "os.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* Exported, and called as a function by others of this file. */
#define KNOWN KSM_EXPORT __attribute__((noinline))

/* Offsets of members of struct ksm_gate, for the assembler. */
#define GATE_THRESHOLD "0"
#define GATE_END       "16"

/* C23; glibc 2.36 does not declare them. */
KSM_EXPORT void free_sized(void *block, size_t size);
KSM_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);

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
	"	jmp ksm_heap_malloc_slow\n"
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
static_assert(offsetof(struct ksm_gate, threshold) == 0 && offsetof(struct ksm_gate, end) == 16,
	      "the offsets above");
#else
KSM_EXPORT void *malloc(size_t size)
{
	return ksm_heap_malloc(size);
}

KNOWN void free(void *block)
{
	ksm_heap_free(block);
}
#endif

KSM_EXPORT void *calloc(size_t count, size_t size)
{
	return ksm_heap_calloc(count, size);
}

KNOWN void *realloc(void *block, size_t size)
{
	return ksm_heap_realloc(block, size);
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
	return ksm_heap_aligned(alignment, size);
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
	return ksm_heap_aligned(alignment, size);
}

KSM_EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
	int saved_errno = errno;
	void *block;

	if (ksm_unlikely(!ksm_is_power_of_two(alignment) || alignment % sizeof(void *)))
		return EINVAL;
	block = ksm_heap_aligned(alignment, size);
	if (ksm_unlikely(!block)) {
		errno = saved_errno;
		return ENOMEM;
	}
	*result = block;
	return 0;
}

KNOWN void *valloc(size_t size)
{
	return ksm_heap_aligned(KSM_PAGE, size);
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

KSM_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 info = { 0 };
	struct ksm_heap_info heap;

	ksm_heap_info(&heap);
	info.arena = heap.small_mapped;
	info.uordblks = heap.small_allocated;
	info.fordblks = heap.small_mapped - ksm_min(heap.small_allocated, heap.small_mapped);
	info.hblkhd = heap.placed_bytes;
	info.keepcost = heap.kept_bytes;
	return info;
}

/* The older form has int fields; glibc's wraps around, this one stays at the largest int. */
KSM_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo info = { 0 };

	info.arena = (int)ksm_min(wide.arena, INT32_MAX);
	info.uordblks = (int)ksm_min(wide.uordblks, INT32_MAX);
	info.fordblks = (int)ksm_min(wide.fordblks, INT32_MAX);
	info.hblkhd = (int)ksm_min(wide.hblkhd, INT32_MAX);
	info.keepcost = (int)ksm_min(wide.keepcost, INT32_MAX);
	return info;
}
