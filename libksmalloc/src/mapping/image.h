/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: the data segments of the program and its libraries.
 *
 * What it is: advice for their writable segments in the shared layout. Relocated pointers and tables
 * fill them in the same way in every process of a group, since the files lie at
 * equal addresses. Where the filters deny them (label:data) and the process is mergeable as a
 * whole, they are kept out of it.
 * With --share they are also what a pass may share: pages that were written to since, by relocations or by the program. Of a file
 * that dlopen(3) has loaded not before it was relocated, and only until dlclose(3) unloads it: no pass is made meanwhile, and
 * what is gone is forgotten then. Not of what libc may unload by itself; and not of libc, of the loader, and of this library: a
 * pass runs in their code, and might write to their data while it compares it.
 * In programs whose mappings are shared (mapping.h) the same is so of a runtime's archive that it maps privately and then
 * relocates: the JVM's, a file *.jsa.
 * What it is not: advice for code and constants, which the page cache shares.
 *
 * A library that dlopen(3) loads is seen at the next large block after it.
 * Locking: the loader's own, inside of dl_iterate_phdr(3); none of ours is held.
 * Failure: is counted by hint.
 */
#ifndef KSM_IMAGE_H
#define KSM_IMAGE_H

#include "base.h"
#include "layout/layout.h"
#include "site/module.h"
#include "store/share.h"

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

/* The program has mapped a file. May be called from signal handlers; errno stays as it is. */
void ksm_image_note_map(const void *addr, size_t length, int prot, int flags, int fd);

/* True if memory between these addresses may be shared as that of data segments. */
bool ksm_image_may_share(uintptr_t begin, uintptr_t end);

/*
 * False as long as the loader may still write to what lies between these addresses, one mapping that may be written to or not, and
 * protect it then, which nobody is told.
 */
bool ksm_image_is_relocated(uintptr_t begin, uintptr_t end, bool is_writable);

/* Adds pages of the slice at this address that may be. */
void ksm_image_allow(uintptr_t slice, struct ksm_share_set *allowed);

/* What was said of a data segment is said of memory in the place of its pages. False if it is none that may be shared. */
bool ksm_image_advise(void *addr, size_t length);

/*
 * True if some of these pages begin with what a file has, and the file is not mapped there any more: who gives them back cannot
 * have that again.
 */
bool ksm_image_has_lost_file(const void *addr, size_t length);

/* Around dlclose(3), in whose time there is no pass. What was unloaded is noted no more. */
void ksm_image_begin_unload(void);
void ksm_image_end_unload(void);

/*
 * The program has said something of these pages that memory in their place would lose, or has unmapped them: the whole segment is
 * left alone from now on. Synchronization: atomic; may be called from signal handlers.
 */
void ksm_image_keep_out(const void *addr, size_t length);

#endif
