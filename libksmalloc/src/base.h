/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base: the few definitions that every part uses.
 *
 * What it is: attributes, alignment arithmetic, min and max. Header only.
 * What it is not: a place for anything that has state, calls the system or
 * belongs to one layer. Together with ksmalloc/segment.h it is all that the
 * library and the report side share.
 */
#ifndef KSM_BASE_H
#define KSM_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KSM_EXPORT	__attribute__((visibility("default")))
#define KSM_COLD	__attribute__((cold, noinline))
#define KSM_INLINE	static inline __attribute__((always_inline))
/*
 * For arrays of zeros that most processes hardly use: the library is linked so that they lie behind what
 * every process writes to, which then takes few pages.
 */
#define KSM_SPARSE	__attribute__((section(".bss.~sparse")))
#define KSM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * For functions that read other functions' frames, which the sanitizers take for
 * a mistake. Where they watch, such functions are not inlined.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KSM_READS_FRAMES static __attribute__((no_sanitize_address, no_sanitize_thread, unused))
#else
#define KSM_READS_FRAMES KSM_INLINE
#endif

#define ksm_likely(x)	__builtin_expect(!!(x), 1)
#define ksm_unlikely(x)	__builtin_expect(!!(x), 0)

/* User addresses have no more bits: kernels give higher ones only to who asks for them by a hint. */
#ifdef __aarch64__
#define KSM_ADDRESS_BITS 48
#else
#define KSM_ADDRESS_BITS 47
#endif

#define KSM_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define KSM_KIB UINT64_C(1024)
#define KSM_MIB (UINT64_C(1024) * KSM_KIB)
#define KSM_GIB (UINT64_C(1024) * KSM_MIB)
#define KSM_TIB (UINT64_C(1024) * KSM_GIB)

/* alignment must be a power of two; the result of ksm_align_up may wrap to 0. */
KSM_INLINE uint64_t ksm_align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

KSM_INLINE uint64_t ksm_align_down(uint64_t value, uint64_t alignment)
{
	return value & ~(alignment - 1);
}

KSM_INLINE bool ksm_is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

KSM_INLINE uint64_t ksm_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

KSM_INLINE uint64_t ksm_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
