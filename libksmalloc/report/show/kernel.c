/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the kernel, for programs: text says in notes what of it matters. */
#define _GNU_SOURCE
#include "show/kernel.h"

#include <string.h>
#include <unistd.h>

#include "read/kernel.h"

static struct ksr_cell count_or_none(uint64_t value)
{
	struct ksr_cell none = {.kind = KSR_CELL_NONE};

	return value == KSR_NONE ? none : ksr_cell_count(value);
}

void ksr_render_kernel(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
		       struct ksr_emitter *emitter)
{
	struct ksr_text release = {0};

	if (ksr_fs_read(fs, &release, "proc/sys/kernel/osrelease") == 0)
		release.data[strcspn(release.data, "\n")] = '\0';
	else
		release.data = NULL;
	ksr_emitter_section_begin(emitter, "kernel");
	ksr_emitter_value(emitter, "release", NULL, ksr_cell_text(release.data));
	ksr_emitter_value(emitter, "page_bytes", NULL,
			  ksr_cell_count((uint64_t)sysconf(_SC_PAGESIZE)));
	ksr_emitter_value(emitter, "ksm", NULL, ksr_cell_bool(kernel->present));
#define VALUE(name) ksr_emitter_value(emitter, #name, NULL, count_or_none(kernel->name));
	KSR_KERNEL_FIELDS(VALUE)
#undef VALUE
	ksr_emitter_value(emitter, "advisor_mode", NULL,
			  ksr_cell_text(kernel->advisor_mode[0] ? kernel->advisor_mode : NULL));
	ksr_emitter_value(
		emitter, "merge_now_scope", NULL,
		ksr_cell_text(kernel->merge_now_scope[0] ? kernel->merge_now_scope : NULL));
	ksr_emitter_section_end(emitter);
	ksr_text_free(&release);
}
