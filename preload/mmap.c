/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap, munmap and mremap of the program: passed on unchanged and counted; in the shared
 * layout a mapping whose address is left to the kernel gets one that is equal in the group.
 * They set errno as the kernel does, may be called from signal handlers, and
 * take no lock that malloc takes. A pass comes before a call or after it was noted, not in between.
 */
#include "base.h"
#include "mapping/image.h"
#include "ksmalloc/stream.h"
#include "calls/mapped.h"
#include "mapping/mapping.h"
#include "os/os.h"
#include "store/remap.h"
#include "store/shared.h"
#include "system/readable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Synchronization: atomic; it is set once. */
static size_t (*_Atomic follower)(const void *caller, size_t bytes);

KSM_EXPORT void ksmalloc_mappings_follow(size_t (*mapped)(const void *caller, size_t bytes))
{
	atomic_store(&follower, mapped);
}

static size_t tell(const void *caller, size_t length)
{
	size_t (*mapped)(const void *, size_t) = atomic_load_explicit(&follower, memory_order_relaxed);

	return mapped ? mapped(caller, length) : 0;
}

KSM_EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset);

KSM_EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct ksm_mapped_by by = ksm_mapped_ask(length, prot, flags, (uintptr_t)__builtin_return_address(0),
						 (uintptr_t)__builtin_frame_address(0));
	size_t distance = tell(__builtin_return_address(0), length);
	void *memory;

	ksm_shared_hold();
	if (addr || !ksm_mapping_place(distance, length, prot, flags, &memory)) {
		memory = ksm_shared_mmap_raw(addr, length, prot, flags, fd, offset);
		if (memory != MAP_FAILED)
			ksm_mapping_note_map(memory, length, prot, flags);
	}
	if (memory != MAP_FAILED) {
		ksm_mapped_note(by, memory, length, prot, flags);
		ksm_image_note_map(memory, length, prot, flags, fd);
	}
	ksm_shared_let_go();
	return memory;
}

KSM_EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)
{
	return mmap(addr, length, prot, flags, fd, offset);
}

KSM_EXPORT int munmap(void *addr, size_t length)
{
	int result;

	ksm_shared_hold();
	result = ksm_shared_munmap_raw(addr, length);
	if (result == 0) {
		ksm_mapping_note_unmap(addr, length);
		ksm_mapped_note_unmap(addr, length);
		ksm_image_keep_out(addr, length);
	}
	ksm_shared_let_go();
	return result;
}

KSM_EXPORT void *mremap(void *old, size_t old_length, size_t new_length, int flags, ...)
{
	void *to = NULL;
	void *memory;
	va_list arguments;

	if (flags & MREMAP_FIXED) {
		va_start(arguments, flags);
		to = va_arg(arguments, void *);
		va_end(arguments);
	}
	ksm_shared_hold();
	memory = ksm_shared_mremap_raw(old, old_length, new_length, flags, to);
	if (ksm_unlikely(memory == MAP_FAILED) && errno == EFAULT && ksm_shared_is_any())
		memory = ksm_remap_pieces(&(struct ksm_remap){ old, old_length, new_length, flags, to });
	if (memory != MAP_FAILED) {
		ksm_mapping_note_remap(old, old_length, memory, new_length, flags);
		ksm_mapped_note_remap(old, old_length, memory, new_length, flags);
	}
	if (memory != MAP_FAILED && ksm_shared_is_any())
		ksm_mapping_introduce(memory, new_length);
	ksm_shared_let_go();
	/* It has moved, or become shorter. */
	if (memory != MAP_FAILED)
		ksm_readable_forget(old, old_length);
	return memory;
}
