/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/perl.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* In the interpreter: the statement, the stack of contexts, and the statement that is being compiled. */
#define CURRENT_STATEMENT 208
#define CURRENT_STACK	  224
#define COMPILED	  1936

/* In a statement: what executes it, its line and file. */
#define STATEMENT_FUNCTION 16
#define STATEMENT_LINE	   36
#define STATEMENT_FILE	   48
#define STATEMENT_BYTES	   56 /* of which something is read */

/* In a stack: its contexts, the stack around it, and the index of the last context. */
#define STACK_CONTEXTS 8
#define STACK_PREVIOUS 16
#define STACK_LAST     32
#define STACK_MOST     36
#define STACK_BYTES    40

/* In a context: its kind in 4 bits, the statement that it began at, and for a sub which. */
#define CONTEXT_BYTES	  104
#define CONTEXT_STATEMENT 16
#define CONTEXT_SUB	  72
#define KIND_MASK	  15
#define KIND_SUB	  9

/* In a value: its body, and its kind. */
#define VALUE_BODY  0
#define VALUE_FLAGS 12
#define VALUE_BYTES 16
#define KIND_GLOB   9
#define KIND_HASH   12
#define KIND_CODE   13

/* In the body of a sub: package, name or glob that names it, and which of the two. */
#define SUB_PACKAGE  32
#define SUB_NAME     56
#define SUB_FLAGS    92
#define SUB_IS_NAMED 0x8000u
#define SUB_BYTES    96

/* In the body of a glob: name and package. In that of a package, if it has this flag: its name, or names. */
#define GLOB_NAME	  32
#define GLOB_PACKAGE	  40
#define GLOB_BYTES	  48
#define HASH_HAS_NAME	  0x2000000u
#define PACKAGE_NAME	  32
#define PACKAGE_NAMES	  60
#define PACKAGE_BYTES	  64

#define NAME_LENGTH 4
#define NAME_DATA   8

struct perl {
	const pthread_key_t *key;
	const void *next_statement; /* what executes a statement, and the same under a debugger */
	const void *debug_statement;
};

static_assert(sizeof(struct perl) <= KSM_READER_BYTES, "a reader has room for it");

static int find(const struct ksm_dynsym *object, void *state)
{
	const uint8_t *version = ksm_reader_symbol(object, "PL_version");
	struct perl *perl = state;

	perl->next_statement = ksm_reader_symbol(object, "Perl_pp_nextstate");
	if (!perl->next_statement)
		return -ENOENT;
	perl->debug_statement = ksm_reader_symbol(object, "Perl_pp_dbstate");
	perl->key = ksm_reader_symbol(object, "PL_thr_key");
	return version && *version == 36 && perl->key ? 0 : -EOPNOTSUPP;
}

/* The body of a value of this kind, so many bytes of which are there; NULL if it is no such value. */
static const void *as_a(const void *object, uint32_t kind, size_t bytes)
{
	const void *body;

	if (!ksm_script_is_whole(object, VALUE_BYTES) || (ksm_script_number_in(object, VALUE_FLAGS) & 0xff) != kind)
		return NULL;
	body = ksm_script_pointer_in(object, VALUE_BODY);
	return ksm_script_is_whole(body, bytes) ? body : NULL;
}

static bool read_name(const void *name, struct ksm_text *text)
{
	const void *around = (const void *)((uintptr_t)name & ~(uintptr_t)7);
	uint32_t length;

	if ((uintptr_t)name % 4 || !ksm_script_is_whole(around, NAME_DATA + 4))
		return false;
	length = ksm_script_number_in(name, NAME_LENGTH);
	if (length > INT32_MAX)
		return false;
	*text = (struct ksm_text){ .bytes = (const char *)name + NAME_DATA, .length = length };
	return ksm_script_is_text_in(name, NAME_DATA, length);
}

static bool read_package(const void *package, struct ksm_text *text)
{
	const void *body = as_a(package, KIND_HASH, VALUE_BYTES);
	const void *name;

	if (!body || !(ksm_script_number_in(package, VALUE_FLAGS) & HASH_HAS_NAME) ||
	    !ksm_script_reaches(body, PACKAGE_BYTES - 1))
		return false;
	name = ksm_script_pointer_in(body, PACKAGE_NAME);
	if (ksm_script_number_in(body, PACKAGE_NAMES) && ksm_script_is_object(name))
		name = ksm_script_pointer(name, 0);
	return read_name(name, text);
}

static void set_main(struct ksm_script_frame *result)
{
	result->function = (struct ksm_text){ .bytes = "main", .length = 4 };
}

struct walk {
	const struct perl *perl;
	const void *interpreter;
	const void *statement; /* that the next frame is at */
	const void *package;   /* of the frame before, as most have the same one; NULL: none, or it has no name */
	struct ksm_text package_name;
	uint32_t seen;
};

static void name_owner(struct walk *walk, const void *package, struct ksm_script_frame *result)
{
	if (!package || package != walk->package) {
		walk->package = NULL;
		if (!read_package(package, &walk->package_name))
			return;
		walk->package = package;
	}
	result->owner = walk->package_name;
	result->separator = "::";
}

static void name_sub(struct walk *walk, const void *sub, struct ksm_script_frame *result)
{
	const void *body = as_a(sub, KIND_CODE, SUB_BYTES);
	const void *name = body ? ksm_script_pointer_in(body, SUB_NAME) : NULL;
	const void *package = body ? ksm_script_pointer_in(body, SUB_PACKAGE) : NULL;

	if (name && !(ksm_script_number_in(body, SUB_FLAGS) & SUB_IS_NAMED)) {
		body = as_a(name, KIND_GLOB, GLOB_BYTES);
		name = body ? ksm_script_pointer_in(body, GLOB_NAME) : NULL;
		package = body ? ksm_script_pointer_in(body, GLOB_PACKAGE) : NULL;
	}
	if (!name || !read_name(name, &result->function)) {
		result->function = (struct ksm_text){ .bytes = "__ANON__", .length = 8 };
		return;
	}
	name_owner(walk, package, result);
}

/* Is it a statement? The one that is being compiled has a file and a line, too. */
static bool is_statement(const struct perl *perl, const void *interpreter, const void *statement)
{
	bool is_compiled = statement == (const char *)interpreter + COMPILED;
	const void *function;

	if (!ksm_script_is_whole(statement, STATEMENT_BYTES))
		return false;
	function = ksm_script_pointer_in(statement, STATEMENT_FUNCTION);
	return is_compiled || function == perl->next_statement || (function && function == perl->debug_statement);
}

/*
 * What eval() has compiled from a text is "(eval 17)": the number is of this process, and of this eval() alone, which a program may do
 * any number of times.
 */
static void leave_out_number(struct ksm_text *file)
{
	static const char begin[] = "(eval ", without[] = "(eval)";
	const char *bytes = file->bytes;
	uint32_t at = sizeof(begin) - 1;

	if (file->length < sizeof(without) || memcmp(bytes, begin, at) != 0)
		return;
	while (at < file->length && bytes[at] >= '0' && bytes[at] <= '9')
		at++;
	if (at + 1 == file->length && bytes[at] == ')')
		*file = (struct ksm_text){ .bytes = without, .length = sizeof(without) - 1 };
}

/*
 * The file of a statement, each of which has a copy of its own; most are equal to that of the frame before, whose text is taken then,
 * as what is the same text is hashed once.
 */
static void read_file(const struct ksm_script *script, const char *bytes, struct ksm_text *file)
{
	const struct ksm_text *before = ksm_script_file_before(script);

	if (before && before->length && before->length < KSM_SCRIPT_FILE_BYTES && ksm_readable(bytes) &&
	    ksm_script_reaches(bytes, before->length) && memcmp(bytes, before->bytes, before->length) == 0 &&
	    !bytes[before->length]) {
		*file = *before;
		return;
	}
	file->bytes = bytes;
	/* Up to its end, or as much of it as is ever used. */
	file->length = (uint32_t)ksm_script_length(bytes, KSM_SCRIPT_FILE_BYTES);
	leave_out_number(file);
}

/* Adds the frame that a sub has at the statement; without a sub, of what stands outside of subs. */
static void add(struct walk *walk, struct ksm_script *script, const void *sub)
{
	struct ksm_script_frame *result;
	uint32_t line;

	if (ksm_script_is_full(script) || !is_statement(walk->perl, walk->interpreter, walk->statement))
		return;
	line = ksm_script_number_in(walk->statement, STATEMENT_LINE);
	if (ksm_script_has(script, walk->statement, line))
		return;
	result = ksm_script_begin(script, KSMALLOC_LANGUAGE_PERL, walk->statement, line);
	result->line = line;
	result->has_line = true;
	read_file(script, ksm_script_pointer_in(walk->statement, STATEMENT_FILE), &result->file);
	if (sub)
		name_sub(walk, sub, result);
	else
		set_main(result);
	script->count++;
}

/* All contexts of one stack. False at the end. */
static bool walk_stack(struct walk *walk, struct ksm_script *script, const void *stack)
{
	const char *contexts = ksm_script_pointer_in(stack, STACK_CONTEXTS);
	int32_t last = (int32_t)ksm_script_number_in(stack, STACK_LAST);
	const char *context;
	int32_t first;

	if (!ksm_script_is_object(contexts) || last > (int32_t)ksm_script_number_in(stack, STACK_MOST))
		return false;
	if (last < 0)
		return true;
	if (walk->seen > KSM_SCRIPT_LOOK_AT)
		return false;
	first = last - (int32_t)(KSM_SCRIPT_LOOK_AT - walk->seen);
	first = first < 0 ? 0 : first;
	if (!ksm_script_is_whole_array(contexts + (size_t)first * CONTEXT_BYTES, (size_t)(last - first + 1) * CONTEXT_BYTES))
		return false;
	context = contexts + (size_t)last * CONTEXT_BYTES;
	for (; last >= first && !ksm_script_is_full(script); last--, context -= CONTEXT_BYTES) {
		if (++walk->seen > KSM_SCRIPT_LOOK_AT)
			return false;
		if ((ksm_script_byte_in(context, 0) & KIND_MASK) != KIND_SUB)
			continue;
		add(walk, script, ksm_script_pointer_in(context, CONTEXT_SUB));
		walk->statement = ksm_script_pointer_in(context, CONTEXT_STATEMENT);
	}
	return true;
}

static void walk(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	const struct perl *perl = state;
	const void *interpreter = *perl->key ? pthread_getspecific(*perl->key) : NULL;
	struct walk walk = { .perl = perl, .interpreter = interpreter };
	const void *contexts;

	(void)stack;
	if (!ksm_script_is_object(interpreter))
		return;
	walk.statement = ksm_script_pointer(interpreter, CURRENT_STATEMENT);
	contexts = ksm_script_pointer(interpreter, CURRENT_STACK);
	while (ksm_script_is_whole(contexts, STACK_BYTES) && walk.seen <= KSM_SCRIPT_LOOK_AT) {
		walk.seen++;
		if (!walk_stack(&walk, script, contexts))
			return;
		contexts = ksm_script_pointer_in(contexts, STACK_PREVIOUS);
	}
	add(&walk, script, NULL);
}

const struct ksm_reader ksm_language_perl = {
	.language = KSMALLOC_LANGUAGE_PERL,
	.find = find,
	.walk = walk,
};
