/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/ruby.h"

#include <errno.h>
#include <string.h>

/* In the context of a thread: its stack, of so many words, and its innermost frame. Frames lie at the stack's end. */
#define CONTEXT_STACK 0
#define CONTEXT_WORDS 8
#define CONTEXT_FRAME 16

/* A frame: the next instruction, and the code that it is one of; those of methods in C have none. */
#define FRAME_BYTES 64
#define FRAME_NEXT  0
#define FRAME_CODE  16

/* An object's first word says what it is. */
#define FLAGS_TYPE    0x1f
#define TYPE_STRING   5
#define TYPE_ARRAY    7
#define TYPE_INTERNAL 0x1a

/* Of Ruby's internal objects: of which kind it is. */
#define FLAGS_KIND   0xf000
#define KIND_IS_CODE 0x7000

/* What a method, a block, or a script was compiled to has all that is known of it elsewhere. */
#define CODE_BODY 16

#define BODY_TYPE	  0
#define BODY_WORDS	  4 /* of its instructions */
#define BODY_INSTRUCTIONS 8
#define BODY_FILE	  64
#define BODY_LABEL	  80
#define BODY_FIRST_LINE	  88 /* a small number, as Ruby has them: twice, and one more */
#define BODY_LINES	  120
#define BODY_LINE_COUNT	  136
#define BODY_LINE_INDEX	  144
#define BODY_OUTERMOST	  176 /* of a block: the code of the method that it is in, if it is in one */

#define TYPE_IS_METHOD 1

/* A string: where its characters are: behind what is common to all objects, or elsewhere. An array has it the other way round. */
#define FLAG_BIT       (1u << 13)
#define FLAGS_LENGTH   14 /* of characters in the string itself: 5 bits */
#define STRING_LENGTH  16
#define STRING_DATA    16
#define STRING_POINTER 24
#define ARRAY_DATA     16
#define ARRAY_POINTER  32

struct ruby {
	struct ksm_tls_index context;
	const void *const *machine; /* NULL before and after it */
	int (*is_native_thread)(void);
	int (*is_collecting)(void);
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
	return ruby->machine && ruby->is_native_thread && ruby->is_collecting ? 0 : -EOPNOTSUPP;
}

/* --- code ------------------------------------------------------------------------------------ */

/* What an object is, 0 if it is none: no object is that. */
static uint32_t flags_of(const void *object)
{
	return ksm_script_is_object(object) ? ksm_script_number(object, 0) : 0;
}

static bool read_text(const void *string, struct ksm_text *text)
{
	uint32_t flags = flags_of(string);
	uint64_t length;

	if ((flags & FLAGS_TYPE) != TYPE_STRING)
		return false;
	if (flags & FLAG_BIT) {
		text->bytes = ksm_script_pointer(string, STRING_POINTER);
		length = (uint64_t)(uintptr_t)ksm_script_pointer(string, STRING_LENGTH);
	} else {
		text->bytes = (const char *)string + STRING_DATA;
		length = flags >> FLAGS_LENGTH & 0x1f;
	}
	if (!text->bytes || length > INT32_MAX)
		return false;
	text->length = (uint32_t)length;
	return ksm_script_is_text(text);
}

/* The name of a file is a string, or the first one of two: as it was asked for, and in full. */
static bool read_file(const void *body, struct ksm_text *text)
{
	const void *file = ksm_script_pointer(body, BODY_FILE);
	uint32_t flags = flags_of(file);

	if ((flags & FLAGS_TYPE) == TYPE_ARRAY) {
		if (flags & FLAG_BIT) {
			file = ksm_script_pointer(file, ARRAY_DATA);
		} else {
			file = ksm_script_pointer(file, ARRAY_POINTER);
			file = ksm_script_is_object(file) ? ksm_script_pointer(file, 0) : NULL;
		}
	}
	return read_text(file, text);
}

/* The body of code; NULL if it is no code. */
static const void *body_of(const void *code)
{
	const uint32_t mask = FLAGS_TYPE | FLAGS_KIND;
	const void *body;

	if ((flags_of(code) & mask) != (TYPE_INTERNAL | KIND_IS_CODE))
		return NULL;
	body = ksm_script_pointer(code, CODE_BODY);
	return ksm_script_is_object(body) ? body : NULL;
}

/* A block in a method has the method's name, as in Ruby's interface for profilers. */
static bool read_name(const void *body, struct ksm_text *text)
{
	if (ksm_script_number(body, BODY_TYPE) != TYPE_IS_METHOD) {
		const void *outermost = body_of(ksm_script_pointer(body, BODY_OUTERMOST));

		if (outermost && ksm_script_number(outermost, BODY_TYPE) == TYPE_IS_METHOD)
			body = outermost;
	}
	return read_text(ksm_script_pointer(body, BODY_LABEL), text);
}

/* --- lines ----------------------------------------------------------------------------------- */

/*
 * How many of the lines' entries begin up to a word of the instructions: this number itself for each of the first words, and
 * behind these a bit for each word that begins one, in blocks that know how many there were before.
 */
static uint32_t count_entries(const void *index, uint32_t word)
{
	enum { FIRST = 54, TOGETHER = 9, NUMBER_BITS = 7, FIRST_BYTES = 48 };
	enum { BLOCK_WORDS = 512, BLOCK_BYTES = 80, RANKS = 8, RANK_BITS = 9, BITS = 16 };
	uint32_t count, group;
	size_t block;
	uint64_t bits;

	if (word < FIRST) {
		bits = (uintptr_t)ksm_script_pointer(index, word / TOGETHER * sizeof(bits));
		return bits >> (word % TOGETHER * NUMBER_BITS) & ((1u << NUMBER_BITS) - 1);
	}
	word -= FIRST;
	block = FIRST_BYTES + (size_t)(word / BLOCK_WORDS) * BLOCK_BYTES;
	group = word % BLOCK_WORDS / 64;
	count = ksm_script_number(index, block);
	if (group) {
		bits = (uintptr_t)ksm_script_pointer(index, block + RANKS);
		count += bits >> ((group - 1) * RANK_BITS) & ((1u << RANK_BITS) - 1);
	}
	bits = (uintptr_t)ksm_script_pointer(index, block + BITS + group * sizeof(bits));
	return count + (uint32_t)__builtin_popcountll(bits << (63 - word % 64));
}

/* What begins in no line stands for the beginning of all scripts. */
static bool has_lines(const void *body)
{
	const void *lines = ksm_script_pointer(body, BODY_LINES);

	return ksm_script_is_object(lines) && ksm_script_number(lines, 0);
}

static uint32_t line(const void *state, const struct ksm_script_frame *frame)
{
	enum { ENTRY_BYTES = 12 };
	const void *body = body_of(frame->code);
	const void *lines, *index;
	uint32_t count, entry = 1;
	int32_t result;

	(void)state;
	if (!body)
		return 0;
	lines = ksm_script_pointer(body, BODY_LINES);
	index = ksm_script_pointer(body, BODY_LINE_INDEX);
	count = ksm_script_number(body, BODY_LINE_COUNT);
	/* One that is the only one has no index. */
	if (count > 1)
		entry = ksm_script_is_object(index) ? count_entries(index, (uint32_t)frame->position) : 0;
	if (!ksm_script_is_object(lines) || entry < 1 || entry > count)
		return 0;
	result = (int32_t)ksm_script_number(lines, (size_t)(entry - 1) * ENTRY_BYTES);
	return result > 0 ? (uint32_t)result : 0;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* The word of the instructions that a frame is at, or -1. Before its first one it is at that, else it has gone on. */
static int64_t position_of(const void *frame, const void *body)
{
	uintptr_t next = (uintptr_t)ksm_script_pointer(frame, FRAME_NEXT);
	uintptr_t first = (uintptr_t)ksm_script_pointer(body, BODY_INSTRUCTIONS);
	uint64_t words = (next - first) / sizeof(void *);

	if (next < first || next % sizeof(void *) || words > ksm_script_number(body, BODY_WORDS))
		return -1;
	return words ? (int64_t)words - 1 : 0;
}

/*
 * The same, and the line where the code begins in the upper half: code that is made anew in a freed one's place may have all else from
 * it, as what eval() makes of the same text for another line.
 */
static uint64_t place_of(const void *body, int64_t position)
{
	return (uint64_t)position | (uint64_t)(ksm_script_number(body, BODY_FIRST_LINE) >> 1) << 32;
}

/* False if the list is full, or the frame not what it was taken for. */
static bool add(struct ksm_script *script, const void *frame)
{
	const void *code = ksm_script_pointer(frame, FRAME_CODE);
	struct ksm_script_frame *result;
	const void *body;
	int64_t position;
	uint64_t place;

	/* A method in C has no code, and a block in C is at no instruction. */
	if (!code || !ksm_script_pointer(frame, FRAME_NEXT))
		return true;
	body = body_of(code);
	position = body ? position_of(frame, body) : -1;
	if (position < 0)
		return false;
	if (!has_lines(body))
		return true;
	place = place_of(body, position);
	if (ksm_script_has(script, code, place))
		return true;
	result = ksm_script_begin(script, KSMALLOC_LANGUAGE_RUBY, code, place);
	if (!read_file(body, &result->file) || !read_name(body, &result->function))
		return false;
	script->count++;
	return !ksm_script_is_full(script);
}

/* The context of this thread if there may be frames in it, NULL otherwise. */
static const void *find_context(const struct ruby *ruby)
{
	struct ksm_tls_index index = ruby->context;
	const void *context;

	if (!ksm_script_is_object(*ruby->machine) || !ruby->is_native_thread())
		return NULL;
	context = *(const void **)ksm_reader_tls_address(&index);
	return ksm_script_is_object(context) && !ruby->is_collecting() ? context : NULL;
}

static void walk(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	const char *context = find_context(state);
	uintptr_t begin, end;
	const char *frame;

	(void)stack;
	if (!context)
		return;
	begin = (uintptr_t)ksm_script_pointer(context, CONTEXT_STACK);
	end = begin + (uintptr_t)ksm_script_pointer(context, CONTEXT_WORDS) * sizeof(void *);
	frame = ksm_script_pointer(context, CONTEXT_FRAME);
	if ((uintptr_t)frame < begin || (end - (uintptr_t)frame) % FRAME_BYTES)
		return;
	for (uint32_t i = 0; i < KSM_SCRIPT_LOOK_AT && (uintptr_t)frame < end && ksm_script_is_object(frame); i++) {
		if (!add(script, frame))
			return;
		frame += FRAME_BYTES;
	}
}

const struct ksm_reader ksm_language_ruby = {
	.language = KSMALLOC_LANGUAGE_RUBY,
	.find = find,
	.walk = walk,
	.line = line,
};
