/* SPDX-License-Identifier: BSD-2-Clause */
#include "read/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ksr_kernel_read(const struct ksr_fs *fs, struct ksr_kernel *kernel)
{
	struct ksr_text text;
	struct stat status;

	memset(kernel, 0, sizeof(*kernel));
	kernel->present = ksr_fs_stat(fs, &status, "sys/kernel/mm/ksm") == 0;
#define READ(name)                                                                                 \
	if (ksr_fs_read_u64(fs, &kernel->name, "sys/kernel/mm/ksm/" #name))                        \
		kernel->name = KSR_NONE;
	KSR_KERNEL_FIELDS(READ)
#undef READ
	if (ksr_fs_read(fs, &text, "sys/kernel/mm/ksm/advisor_mode") == 0) {
		ksr_chosen_word(text.data, kernel->advisor_mode, sizeof(kernel->advisor_mode));
		ksr_text_free(&text);
	}
	if (ksr_fs_read(fs, &text, "sys/kernel/mm/ksm/merge_now_scope") == 0) {
		ksr_chosen_word(text.data, kernel->merge_now_scope,
				sizeof(kernel->merge_now_scope));
		ksr_text_free(&text);
	}
}

int ksr_kernel_set(const struct ksr_fs *fs, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return ksr_fs_write(fs, text, "sys/kernel/mm/ksm/%s", name);
}
