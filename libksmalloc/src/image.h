/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: the data segments of the program and its libraries.
 *
 * What it is: advice for their writable segments in the shared layout. Relocated pointers and tables
 * fill them in the same way in every process of a group, since the files lie at
 * equal addresses. Where the filters deny them (label:data) and the process is mergeable as a
 * whole, they are kept out of it.
 * What it is not: advice for code and constants, which the page cache shares.
 *
 * A library that dlopen(3) loads is seen at the next large block after it.
 * Locking: the loader's own, inside of dl_iterate_phdr(3); none of ours is held.
 * Failure: is counted by hint.
 */
#ifndef KSM_IMAGE_H
#define KSM_IMAGE_H

#include "base.h"
#include "layout.h"
#include "module.h"

/* After the hints were set up. What is to be kept out is kept out at once. */
KSM_COLD void ksm_image_init(void);

/* Advises the segments of all files that are loaded now, or keeps them out. */
KSM_COLD void ksm_image_introduce(void);

/* True if one of both is to be done. Synchronization: written at load. */
extern bool ksm_image_matters __attribute__((visibility("hidden")));

/* The value of ksm_module_generation() when it was done last. Synchronization: relaxed atomic. */
extern uint32_t ksm_image_generation __attribute__((visibility("hidden")));

/* Does so if files may have come since the last time. */
KSM_INLINE void ksm_image_refresh(void)
{
	if (ksm_unlikely(ksm_image_matters &&
			 __atomic_load_n(&ksm_image_generation, __ATOMIC_RELAXED) !=
				 ksm_module_generation()))
		ksm_image_introduce();
}

#endif
