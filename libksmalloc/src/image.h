/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: the data segments of the program and its libraries, in the shared layout.
 *
 * What it is: advice for their writable segments. Relocated pointers and tables
 * fill them in the same way in every process of a group, since the files lie at
 * equal addresses.
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

/* Advises the segments of all files that are loaded now. */
KSM_COLD void ksm_image_advise(void);

/* The value of ksm_module_generation() when it was done last. Synchronization: relaxed atomic. */
extern uint32_t ksm_image_generation __attribute__((visibility("hidden")));

/* Does so if files may have come since the last time. */
KSM_INLINE void ksm_image_refresh(void)
{
	if (ksm_unlikely(ksm_layout_is_shared() &&
			 __atomic_load_n(&ksm_image_generation, __ATOMIC_RELAXED) !=
				 ksm_module_generation()))
		ksm_image_advise();
}

#endif
