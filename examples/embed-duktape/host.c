/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host SCRIPT: runs JavaScript in Duktape. Its allocator must not ask the engine what it is executing, so phases of the
 * script are named instead: phase(function) calls a function under a label made of its name, of which the id is kept.
 * It works without the library, too. Afterwards it waits for the end of its input, for a report.
 */
#include <ksmalloc/embed.h>

#include <duktape.h>
#include <stdio.h>
#include <stdlib.h>

/* The id of the label of the function on top of the stack; a property of it from the first call on. */
static int label_of(duk_context *js)
{
	char label[64];
	int id;

	if (!duk_get_prop_string(js, -1, DUK_HIDDEN_SYMBOL("label"))) {
		duk_pop(js);
		duk_get_prop_string(js, -1, "name");
		duk_get_prop_string(js, -2, "fileName");
		snprintf(label, sizeof(label), "%s (%s)", duk_safe_to_string(js, -2), duk_safe_to_string(js, -1));
		duk_pop_2(js);
		duk_push_int(js, ksmalloc_embed_label(label));
		duk_dup_top(js);
		duk_put_prop_string(js, -3, DUK_HIDDEN_SYMBOL("label"));
	}
	id = duk_get_int(js, -1);
	duk_pop(js);
	return id;
}

/* phase(function): its result. An error of the function must not leave the label open. */
static duk_ret_t phase(duk_context *js)
{
	int begun, failed;

	duk_require_function(js, 0);
	begun = ksmalloc_embed_begin(label_of(js));
	failed = duk_pcall(js, 0);
	ksmalloc_embed_end(begun);
	return failed ? duk_throw(js) : 1;
}

/* The whole file, to be freed; NULL if it cannot be read. */
static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(1 << 20) : NULL;

	*length = text ? fread(text, 1, 1 << 20, file) : 0;
	if (file)
		fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	duk_context *js = duk_create_heap_default();
	size_t length = 0;
	char *text = argc == 2 ? read_file(argv[1], &length) : NULL;

	if (!js || !text) {
		fprintf(stderr, "usage: host SCRIPT (a file that can be read)\n");
		return 2;
	}
	duk_push_c_function(js, phase, 1);
	duk_put_global_string(js, "phase");
	duk_push_string(js, argv[1]);
	if (duk_pcompile_lstring_filename(js, 0, text, length) || duk_pcall(js, 0)) {
		fprintf(stderr, "%s: %s\n", argv[1], duk_safe_to_string(js, -1));
		return 1;
	}
	free(text);
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	duk_destroy_heap(js);
	return 0;
}
