/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/php.h"

#include <errno.h>

/* In executor_globals: the innermost frame. */
#define CURRENT 488

/* In a frame: the instruction, the function, and the frame of who called it. */
#define FRAME_INSTRUCTION 0
#define FRAME_FUNCTION	  24
#define FRAME_PREVIOUS	  48
#define FRAME_BYTES	  56 /* of which something is read */

/* In a function: kind, name, class. In a class: its name. In an instruction: its line. */
#define FUNCTION_NAME	  8
#define FUNCTION_CLASS	  16
#define CLASS_NAME	  8
#define INSTRUCTION_LINE  24

#define OF_PHP 1u /* the kind of a function that is no code of a script; a bit of others that are none, up to 7.4 */

#define INSTRUCTION_BYTES 32

/* Where a function has its file, and behind that the line where it begins; its instructions, and their number. */
static const struct layout {
	uint8_t file;
	uint8_t instructions;
	uint8_t count;
} layouts[] = {
	{ 136, 64, 60 },  /* 7.4 */
	{ 144, 72, 68 },  /* 8.0, 8.1 */
	{ 152, 88, 80 },  /* 8.2 */
	{ 144, 80, 76 },  /* 8.3 */
	{ 168, 104, 96 }, /* 8.4 */
};

#define BEGINS_BEHIND_FILE 8

/* How much of a function of a script is read. All of them have more. */
#define FUNCTION_BYTES 180

/* A string: its kind in 4 bits, the length, and the characters. */
#define STRING_KIND   4
#define STRING_LENGTH 16
#define STRING_DATA   24
#define IS_STRING     6

/* Code of a function. */
struct range {
	uintptr_t begin;
	uintptr_t end;
};

/* What sets up the globals of a thread; until it is done they have anything in them. */
static const char *const set_up_by[] = { "ts_resource_ex", "ts_allocate_fast_id", "ts_allocate_id" };

struct php {
	const void *globals; /* without threads */
	const void *(*innermost_file)(void); /* it reads, and does nothing else */
	/*
	 * With threads: the thread's own, NULL if it has none; and where among them the executor's are, 0 before there
	 * are any.
	 */
	const void *(*thread_globals)(void);
	const size_t *offset;
	struct range set_up[KSM_COUNT_OF(set_up_by)];
};

static_assert(sizeof(struct php) <= KSM_READER_BYTES, "a reader has room for it");

static int find(const struct ksm_dynsym *object, void *state)
{
	struct php *php = state;

	php->innermost_file = (const void *(*)(void))ksm_reader_symbol(object, "zend_get_executed_filename_ex");
	if (!php->innermost_file || ksm_reader_symbol(object, "executor_globals_offset"))
		return -ENOENT;
	php->globals = ksm_reader_variable(object, "executor_globals");
	return php->globals ? 0 : -EOPNOTSUPP;
}

static int find_with_threads(const struct ksm_dynsym *object, void *state)
{
	struct php *php = state;

	php->innermost_file = (const void *(*)(void))ksm_reader_symbol(object, "zend_get_executed_filename_ex");
	php->offset = ksm_reader_variable(object, "executor_globals_offset");
	if (!php->innermost_file || !php->offset)
		return -ENOENT;
	php->thread_globals = (const void *(*)(void))ksm_reader_symbol(object, "tsrm_get_ls_cache");
	for (size_t i = 0; i < KSM_COUNT_OF(set_up_by); i++) {
		const ElfW(Sym) *symbol = ksm_dynsym_next(object, set_up_by[i], NULL);

		if (!symbol)
			return -EOPNOTSUPP;
		php->set_up[i].begin = object->bias + symbol->st_value;
		php->set_up[i].end = php->set_up[i].begin + symbol->st_size;
	}
	return php->thread_globals ? 0 : -EOPNOTSUPP;
}

static bool read_text(const void *string, struct ksm_text *text)
{
	uint64_t length;

	if (!ksm_script_is_whole(string, STRING_DATA) || (ksm_script_number_in(string, STRING_KIND) & 15) != IS_STRING)
		return false;
	length = (uint64_t)(uintptr_t)ksm_script_pointer_in(string, STRING_LENGTH);
	if (length > INT32_MAX)
		return false;
	text->bytes = (const char *)string + STRING_DATA;
	text->length = (uint32_t)length;
	return ksm_script_is_text_in(string, STRING_DATA, text->length);
}

/* The file of the frame that comes next; most have that of the one before. */
static bool read_file(const struct ksm_script *script, const void *string, struct ksm_text *file)
{
	const struct ksm_text *before = ksm_script_file_before(script);

	if (!before || before->bytes != (const char *)string + STRING_DATA)
		return read_text(string, file);
	*file = *before;
	return true;
}

/*
 * The function of a frame, which is there, if it is one of a script, else NULL. False if it leads nowhere: then PHP must not be asked
 * for the innermost file either, for which it would follow it.
 */
static bool find_function(const void *frame, const void **function)
{
	const void *pointer = ksm_script_pointer_in(frame, FRAME_FUNCTION);
	uint8_t kind;

	*function = NULL;
	if (!pointer)
		return true;
	if (!ksm_script_is_object(pointer))
		return false;
	kind = ksm_script_byte_in(pointer, 0);
	if (kind == OF_PHP)
		return true;
	/* PHP takes all other kinds for a script's since 8.0, and reads the file. */
	if (!ksm_script_reaches(pointer, FUNCTION_BYTES - 1))
		return false;
	if (!(kind & OF_PHP))
		*function = pointer;
	return true;
}

/* Is it one of the function's? Nothing is read of what it points to. */
static bool is_of(const struct layout *at, const void *function, uintptr_t instruction)
{
	uintptr_t first = (uintptr_t)ksm_script_pointer_in(function, at->instructions);

	return instruction >= first && (instruction - first) % INSTRUCTION_BYTES == 0 &&
	       (instruction - first) / INSTRUCTION_BYTES < ksm_script_number_in(function, at->count);
}

/* The layout by which the frame is at one of the function's instructions; NULL if there is none. */
static const struct layout *layout_of(const void *frame, const void *function, size_t file_at)
{
	uintptr_t instruction = (uintptr_t)ksm_script_pointer_in(frame, FRAME_INSTRUCTION);

	for (size_t i = 0; i < KSM_COUNT_OF(layouts); i++)
		if (layouts[i].file == file_at && is_of(&layouts[i], function, instruction))
			return &layouts[i];
	return NULL;
}

/*
 * The line of a frame. One that is being set up has what was there before it in the place of its instruction, which may be
 * gone: then there is no layout, and it is the line where the function begins.
 */
static uint32_t line_of(const void *frame, const void *function, const struct layout *at, size_t file_at)
{
	if (at) {
		const void *instruction = ksm_script_pointer_in(frame, FRAME_INSTRUCTION);

		return ksm_script_is_object(instruction) ? ksm_script_number(instruction, INSTRUCTION_LINE) : 0;
	}
	return ksm_script_number_in(function, file_at + BEGINS_BEHIND_FILE);
}

/* Where functions have their file, seen in the innermost one; 0 if it is nowhere. */
static size_t find_file(const void *function, const void *file)
{
	for (size_t i = 0; i < KSM_COUNT_OF(layouts); i++)
		if (ksm_script_pointer_in(function, layouts[i].file) == file)
			return layouts[i].file;
	return 0;
}

static void name_function(const void *function, struct ksm_script_frame *result)
{
	static const char outside[] = "{main}";
	const void *class = ksm_script_pointer_in(function, FUNCTION_CLASS);
	const void *name = ksm_script_pointer_in(function, FUNCTION_NAME);

	if (!read_text(name, &result->function)) {
		result->function = (struct ksm_text){ .bytes = outside, .length = sizeof(outside) - 1 };
		return;
	}
	if (ksm_script_is_object(class) && read_text(ksm_script_pointer(class, CLASS_NAME), &result->owner))
		result->separator = "::";
}

/* False if the list is full, or the frame not what it was taken for. */
static bool add(struct ksm_script *script, const void *frame, const void *function, size_t file_at)
{
	const struct layout *at = layout_of(frame, function, file_at);
	uint32_t line = line_of(frame, function, at, file_at);
	struct ksm_script_frame *result;

	if (at)
		script->code_at = ksm_script_pointer_in(function, at->instructions);
	if (ksm_script_has(script, function, line))
		return true;
	result = ksm_script_begin(script, KSMALLOC_LANGUAGE_PHP, function, line);
	result->line = line;
	result->has_line = true;
	if (!read_file(script, ksm_script_pointer_in(function, file_at), &result->file))
		return false;
	name_function(function, result);
	script->count++;
	return !ksm_script_is_full(script);
}

/* Walks from the innermost frame of these globals on. */
static void walk_frames(const struct php *php, const void *globals, struct ksm_script *script)
{
	const void *frame = ksm_script_pointer(globals, CURRENT);
	size_t file_at = 0;

	for (uint32_t i = 0; i < KSM_SCRIPT_LOOK_AT && ksm_script_is_whole(frame, FRAME_BYTES); i++) {
		const void *function;

		if (!find_function(frame, &function))
			return;
		if (function && !file_at) {
			const void *file = php->innermost_file();

			file_at = file ? find_file(function, file) : 0;
			if (!file_at)
				return;
		}
		if (function && !add(script, frame, function, file_at))
			return;
		frame = ksm_script_pointer_in(frame, FRAME_PREVIOUS);
	}
}

static void walk(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	const struct php *php = state;

	(void)stack;
	walk_frames(php, php->globals, script);
}

static bool is_set_up_now(const struct php *php, const struct ksm_stack *stack)
{
	for (uint32_t i = 0; i < stack->count; i++)
		for (size_t j = 0; j < KSM_COUNT_OF(set_up_by); j++)
			if (stack->frames[i] > php->set_up[j].begin && stack->frames[i] <= php->set_up[j].end)
				return true;
	return false;
}

static void walk_thread(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	const struct php *php = state;
	const char *globals;

	if (*php->offset == 0 || is_set_up_now(php, stack))
		return;
	globals = php->thread_globals();
	if (globals)
		walk_frames(php, globals + *php->offset, script);
}

const struct ksm_reader ksm_language_php = {
	.language = KSMALLOC_LANGUAGE_PHP,
	.only_first_thread = true,
	.find = find,
	.walk = walk,
};

const struct ksm_reader ksm_language_php_threads = {
	.language = KSMALLOC_LANGUAGE_PHP,
	.find = find_with_threads,
	.walk = walk_thread,
};
