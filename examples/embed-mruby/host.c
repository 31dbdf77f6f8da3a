/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host SCRIPT: runs a Ruby script in mruby, and names its large blocks for ksmalloc after the method and the line that
 * wants them. It works without the library, too. Afterwards it waits for the end of its input, for a report.
 */
#include <ksmalloc/embed.h>

#include <mruby.h>
#include <mruby/compile.h>
#include <mruby/irep.h>
#include <mruby/debug.h>
#include <mruby/proc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Smaller blocks are never placed; to name them would cost time and change nothing. */
#define LABEL_BYTES ((size_t)16 << 10)

/*
 * Writes "render_pages (tables.rb:20)", of the innermost call that is not C. It only reads, so that it may be called while
 * mruby allocates.
 */
static void make_label(mrb_state *mrb, char *label, size_t label_bytes)
{
	const mrb_callinfo *call = mrb->c->ci;

	for (; call > mrb->c->cibase; call--) {
		if (call->proc && !MRB_PROC_CFUNC_P(call->proc))
			break;
	}
	if (call->proc && !MRB_PROC_CFUNC_P(call->proc) && call->pc) {
		const mrb_irep *irep = call->proc->body.irep;
		uint32_t at = (uint32_t)(call->pc - irep->iseq);
		const char *file = mrb_debug_get_filename(mrb, irep, at);
		const char *method = call->mid ? mrb_sym_name(mrb, call->mid) : NULL;

		snprintf(label, label_bytes, "%s (%s:%d)", method ? method : "main", file ? file : "?",
			 (int)mrb_debug_get_line(mrb, irep, at));
	} else {
		snprintf(label, label_bytes, "the host");
	}
}

static void *allocate(mrb_state *mrb, void *block, size_t size, void *data)
{
	bool *is_running = data;
	char label[64];
	void *result;
	int begun;

	if (!size) {
		free(block);
		return NULL;
	}
	if (size < LABEL_BYTES || !*is_running)
		return realloc(block, size);
	make_label(mrb, label, sizeof(label));
	begun = ksmalloc_embed_begin_name(label);
	result = realloc(block, size);
	ksmalloc_embed_end(begun);
	return result;
}

int main(int argc, char **argv)
{
	bool is_running = false;
	mrb_state *mrb = mrb_open_allocf(allocate, &is_running);
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	mrbc_context *context;

	if (!mrb || !file) {
		fprintf(stderr, "usage: host SCRIPT (a file that can be read)\n");
		return 2;
	}
	context = mrbc_context_new(mrb);
	mrbc_filename(mrb, context, argv[1]);
	is_running = true;
	mrb_load_file_cxt(mrb, file, context);
	fclose(file);
	if (mrb->exc) {
		mrb_print_error(mrb);
		return 1;
	}
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	mrbc_context_free(mrb, context);
	mrb_close(mrb);
	return 0;
}
