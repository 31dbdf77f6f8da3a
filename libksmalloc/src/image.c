/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include "hint.h"
#include "os.h"
#include "policy.h"

#include <link.h>

uint32_t ksm_image_generation = UINT32_MAX;
bool ksm_image_matters;

static struct ksm_policy policy; /* Synchronization: written at load. */

static void introduce(void *begin, size_t length, uint64_t word)
{
	if (!policy.advise)
		ksm_hint_exempt(begin, length);
	else if (ksm_hint_advise(begin, length))
		ksm_hint_set(begin, length, word);
}

static int introduce_file(struct dl_phdr_info *info, size_t size, void *argument)
{
	const uint64_t *word = argument;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = ksm_align_up(begin + segment->p_memsz, KSM_PAGE);

		begin = ksm_align_down(begin, KSM_PAGE);
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) && begin < end)
			introduce((void *)begin, end - begin, *word);
	}
	return 0;
}

void ksm_image_init(void)
{
	policy = ksm_policy_of_region("data");
	ksm_image_matters = policy.advise ? ksm_layout_is_shared() : ksm_hint_covers_process();
	if (ksm_image_matters && !policy.advise)
		ksm_image_introduce();
}

void ksm_image_introduce(void)
{
	uint64_t word = ksm_hint_word(KSMALLOC_HINT_DATA, policy.priority,
				      KSMALLOC_STABILITY_UNKNOWN, true);

	__atomic_store_n(&ksm_image_generation, ksm_module_generation(), __ATOMIC_RELAXED);
	dl_iterate_phdr(introduce_file, &word);
}
