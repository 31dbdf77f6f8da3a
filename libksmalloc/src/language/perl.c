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

/* In a stack: its contexts, the stack around it, and the index of the last context. */
#define STACK_CONTEXTS 8
#define STACK_PREVIOUS 16
#define STACK_LAST     32
#define STACK_MOST     36

/* In a context: its kind in 4 bits, the statement that it began at, and for a sub which. */
#define CONTEXT_BYTES	  104
#define CONTEXT_STATEMENT 16
#define CONTEXT_SUB	  72
#define KIND_MASK	  15
#define KIND_SUB	  9

/* In a value: its body, and its kind. */
#define VALUE_BODY  0
#define VALUE_FLAGS 12
#define KIND_GLOB   9
#define KIND_HASH   12
#define KIND_CODE   13

/* In the body of a sub: package, name or glob that names it, and which of the two. */
#define SUB_PACKAGE  32
#define SUB_NAME     56
#define SUB_FLAGS    92
#define SUB_IS_NAMED 0x8000u

/* In the body of a glob: name and package. In that of a package, if it has this flag: its name, or names. */
#define GLOB_NAME	  32
#define GLOB_PACKAGE	  40
#define HASH_HAS_NAME	  0x2000000u
#define PACKAGE_NAME	  32
#define PACKAGE_NAMES	  60

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

static const void *as_a(const void *object, uint32_t kind)
{
	const void *body;

	if (!ksm_script_is_object(object) || (ksm_script_number(object, VALUE_FLAGS) & 0xff) != kind)
		return NULL;
	body = ksm_script_pointer(object, VALUE_BODY);
	return ksm_script_is_object(body) ? body : NULL;
}

static bool read_name(const void *name, struct ksm_text *text)
{
	uint32_t length;

	if ((uintptr_t)name % 4 || !ksm_script_is_object((const void *)((uintptr_t)name & ~(uintptr_t)7)))
		return false;
	length = ksm_script_number(name, NAME_LENGTH);
	if (length > INT32_MAX)
		return false;
	*text = (struct ksm_text){ .bytes = (const char *)name + NAME_DATA, .length = length };
	return ksm_script_is_text(text);
}

static bool read_package(const void *package, struct ksm_text *text)
{
	const void *body = as_a(package, KIND_HASH);
	const void *name;

	if (!body || !(ksm_script_number(package, VALUE_FLAGS) & HASH_HAS_NAME))
		return false;
	name = ksm_script_pointer(body, PACKAGE_NAME);
	if (ksm_script_number(body, PACKAGE_NAMES) && ksm_script_is_object(name))
		name = ksm_script_pointer(name, 0);
	return read_name(name, text);
}

static void set_main(struct ksm_script_frame *result)
{
	result->function = (struct ksm_text){ .bytes = "main", .length = 4 };
}

static void name_sub(const void *sub, struct ksm_script_frame *result)
{
	const void *body = as_a(sub, KIND_CODE);
	const void *name = body ? ksm_script_pointer(body, SUB_NAME) : NULL;
	const void *package = body ? ksm_script_pointer(body, SUB_PACKAGE) : NULL;

	if (name && !(ksm_script_number(body, SUB_FLAGS) & SUB_IS_NAMED)) {
		body = as_a(name, KIND_GLOB);
		name = body ? ksm_script_pointer(body, GLOB_NAME) : NULL;
		package = body ? ksm_script_pointer(body, GLOB_PACKAGE) : NULL;
	}
	if (!name || !read_name(name, &result->function)) {
		result->function = (struct ksm_text){ .bytes = "__ANON__", .length = 8 };
		return;
	}
	if (read_package(package, &result->owner))
		result->separator = "::";
}

/* False if it is no statement. The one that is being compiled has a file and a line, too. */
static bool read_statement(const struct perl *perl, const void *interpreter, const void *statement,
			   struct ksm_script_frame *result)
{
	bool is_compiled = statement == (const char *)interpreter + COMPILED;
	const void *function;

	*result = (struct ksm_script_frame){ .language = KSMALLOC_LANGUAGE_PERL, .code = statement, .has_line = true };
	if (!ksm_script_is_object(statement))
		return false;
	function = ksm_script_pointer(statement, STATEMENT_FUNCTION);
	if (!is_compiled && function != perl->next_statement && (!function || function != perl->debug_statement))
		return false;
	result->line = ksm_script_number(statement, STATEMENT_LINE);
	result->position = result->line;
	result->file.bytes = ksm_script_pointer(statement, STATEMENT_FILE);
	/* Up to its end, or as much of it as is ever used. */
	result->file.length = (uint32_t)ksm_script_length(result->file.bytes, KSM_SCRIPT_FILE_BYTES);
	return true;
}

struct walk {
	const struct perl *perl;
	const void *interpreter;
	const void *statement; /* that the next frame is at */
	uint32_t seen;
};

/* Adds the frame that a sub has at the statement; without a sub, of what stands outside of subs. */
static void add(struct walk *walk, struct ksm_script *script, const void *sub)
{
	struct ksm_script_frame *result = &script->frames[script->count];

	if (ksm_script_is_full(script) || !read_statement(walk->perl, walk->interpreter, walk->statement, result) ||
	    ksm_script_has(script, result->code, result->position))
		return;
	if (sub)
		name_sub(sub, result);
	else
		set_main(result);
	script->count++;
}

/* All contexts of one stack. False at the end. */
static bool walk_stack(struct walk *walk, struct ksm_script *script, const void *stack)
{
	const char *contexts = ksm_script_pointer(stack, STACK_CONTEXTS);
	int32_t last = (int32_t)ksm_script_number(stack, STACK_LAST);

	if (!ksm_script_is_object(contexts) || last > (int32_t)ksm_script_number(stack, STACK_MOST))
		return false;
	for (; last >= 0 && !ksm_script_is_full(script); last--) {
		const char *context = contexts + (size_t)last * CONTEXT_BYTES;

		if (++walk->seen > KSM_SCRIPT_LOOK_AT)
			return false;
		if ((ksm_script_byte(contexts, (size_t)last * CONTEXT_BYTES) & KIND_MASK) != KIND_SUB)
			continue;
		add(walk, script, ksm_script_pointer(context, CONTEXT_SUB));
		walk->statement = ksm_script_pointer(context, CONTEXT_STATEMENT);
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
	while (ksm_script_is_object(contexts) && walk.seen <= KSM_SCRIPT_LOOK_AT) {
		walk.seen++;
		if (!walk_stack(&walk, script, contexts))
			return;
		contexts = ksm_script_pointer(contexts, STACK_PREVIOUS);
	}
	add(&walk, script, NULL);
}

const struct ksm_reader ksm_language_perl = {
	.language = KSMALLOC_LANGUAGE_PERL,
	.find = find,
	.walk = walk,
};
