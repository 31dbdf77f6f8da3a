/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/ruby.h"

#include <errno.h>
#include <string.h>

/* In the context of a thread: its stack of values, and its innermost frame. */
#define CONTEXT_STACK 0
#define CONTEXT_FRAME 16

/* A string: what it is, and where its characters are: behind that, or elsewhere. */
#define FLAGS_TYPE     0x1f
#define TYPE_STRING    5
#define FLAG_ELSEWHERE (1u << 13)
#define FLAGS_LENGTH   14 /* of characters in the string itself: 5 bits */
#define STRING_LENGTH  16
#define STRING_DATA    16
#define STRING_POINTER 24
#define STRING_BYTES   32 /* of which something is read */

/* Immediate values (nil, numbers, symbols) are none of these. */
#define IMMEDIATE 7

typedef uintptr_t value;

struct ruby {
	struct ksm_tls_index context;
	const void *const *machine; /* NULL before and after it */
	int (*is_native_thread)(void);
	int (*is_collecting)(void);
	int (*frames)(int first, int count, value *frames, int *lines);
	value (*path)(value frame);
	value (*label)(value frame);
};

static_assert(sizeof(struct ruby) <= KSM_READER_BYTES, "a reader has room for it");

static int find(const struct ksm_dynsym *object, void *state)
{
	const int *version = ksm_reader_symbol(object, "ruby_api_version");
	const ElfW(Sym) *context;
	struct ruby *ruby = state;

	if (!version)
		return -ENOENT;
	context = ksm_dynsym_next(object, "ruby_current_ec", NULL);
	if (version[0] != 3 || version[1] != 1 || !context || (context->st_info & 15) != STT_TLS || !object->tls_module ||
	    !ksm_reader_tls_address)
		return -EOPNOTSUPP;
	ruby->context = (struct ksm_tls_index){ object->tls_module, context->st_value };
	ruby->machine = ksm_reader_symbol(object, "ruby_current_vm_ptr");
	ruby->is_native_thread = (int (*)(void))ksm_reader_symbol(object, "ruby_native_thread_p");
	ruby->is_collecting = (int (*)(void))ksm_reader_symbol(object, "rb_during_gc");
	ruby->frames = (int (*)(int, int, value *, int *))ksm_reader_symbol(object, "rb_profile_frames");
	ruby->path = (value(*)(value))ksm_reader_symbol(object, "rb_profile_frame_path");
	ruby->label = (value(*)(value))ksm_reader_symbol(object, "rb_profile_frame_label");
	return ruby->machine && ruby->is_native_thread && ruby->is_collecting && ruby->frames && ruby->path && ruby->label ?
		       0 :
		       -EOPNOTSUPP;
}

static bool read_text(value string, struct ksm_text *text)
{
	const void *object = (const void *)string;
	uint32_t flags;
	uint64_t length;

	if (string & IMMEDIATE || !ksm_script_is_whole(object, STRING_BYTES))
		return false;
	flags = ksm_script_number_in(object, 0);
	if ((flags & FLAGS_TYPE) != TYPE_STRING)
		return false;
	if (flags & FLAG_ELSEWHERE) {
		text->bytes = ksm_script_pointer_in(object, STRING_POINTER);
		length = (uint64_t)(uintptr_t)ksm_script_pointer_in(object, STRING_LENGTH);
	} else {
		text->bytes = (const char *)object + STRING_DATA;
		length = flags >> FLAGS_LENGTH & 0x1f;
	}
	if (!text->bytes || length > INT32_MAX)
		return false;
	text->length = (uint32_t)length;
	return ksm_script_is_text(text);
}

/* Has the thread got as far as to have frames? */
static bool has_frames(const struct ruby *ruby)
{
	struct ksm_tls_index index = ruby->context;
	const void *context;

	if (!*ruby->machine || !ruby->is_native_thread())
		return false;
	context = *(const void **)ksm_reader_tls_address(&index);
	return ksm_script_is_object(context) && ksm_script_pointer(context, CONTEXT_STACK) &&
	       ksm_script_is_object(ksm_script_pointer(context, CONTEXT_FRAME)) && !ruby->is_collecting();
}

static void walk(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	enum { MOST = 2 * KSMALLOC_MAX_SCRIPT_FRAMES };
	const struct ruby *ruby = state;
	value frames[MOST];
	int lines[MOST];
	int count;

	(void)stack;
	if (!has_frames(ruby))
		return;
	count = ruby->frames(0, MOST, frames, lines);
	for (int i = 0; i < count && i < MOST && !ksm_script_is_full(script); i++) {
		struct ksm_script_frame *result;
		uint32_t line = lines[i] > 0 ? (uint32_t)lines[i] : 0;
		const void *code = (const void *)frames[i];

		/* What has no line stands for the beginning of all scripts. */
		if (!line || ksm_script_has(script, code, line))
			continue;
		result = ksm_script_begin(script, KSMALLOC_LANGUAGE_RUBY, code, line);
		result->line = line;
		result->has_line = true;
		/* A method in C has no path. */
		if (read_text(ruby->path(frames[i]), &result->file) &&
		    read_text(ruby->label(frames[i]), &result->function))
			script->count++;
	}
}

const struct ksm_reader ksm_language_ruby = {
	.language = KSMALLOC_LANGUAGE_RUBY,
	.find = find,
	.walk = walk,
};
