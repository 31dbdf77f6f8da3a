/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "show/whole.h"

#include <errno.h>

#include "show/kernel.h"
#include "show/origins.h"
#include "show/report.h"

int ksr_whole_write(const struct ksr_fs *fs, struct ksr_report *report, struct ksr_symbols *symbols,
		    const struct ksr_picture *picture, FILE *output)
{
	const struct ksr_output json = {.format = KSR_FORMAT_JSON, .compact = true};
	const struct ksr_render_options all = {.sort = "saved", .empty = true};
	struct ksr_emitter *emitter = ksr_emitter_create(&json, output);

	if (!emitter)
		return -ENOMEM;
	ksr_render_kernel(fs, &report->kernel, emitter);
	ksr_render_report(report, symbols, &all, emitter);
	ksr_render_origins(picture, emitter);
	return ksr_emitter_finish(emitter);
}
