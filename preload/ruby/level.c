/* SPDX-License-Identifier: BSD-2-Clause */
#include "level.h"

#include "value.h"

#include "../symbols.h"

#include <dlfcn.h>
#include <stddef.h>

/* An array's head has its length, if it is short. As in ruby's headers. */
#define IS_EMBEDDED (1 << 13) /* RARRAY_EMBED_FLAG */
#define LENGTH_SHIFT 15 /* RARRAY_EMBED_LEN_SHIFT */
#define LENGTH_BITS 3
#define LENGTH_WORD 2 /* else it is here */

#define EVEN_OBJECTS 16
#define EVEN_BYTES 16384u
#define LARGEST_BLOCK 4096u

static struct {
	value (*arguments)(void);
	value (*new_array)(long capacity);
	value (*new_text)(const char *bytes, long length);
	value (*push)(value array, value object);
	void (*keep)(value object);
	unsigned long (*intern)(const char *name);
	value (*symbol)(unsigned long id);
	size_t (*statistic)(value name);
	void *(*allocate)(size_t bytes);
} ruby;

static const struct ksh_symbol symbols[] = {
	{ &ruby.arguments, "rb_get_argv" },
	{ &ruby.new_array, "rb_ary_new_capa" },
	{ &ruby.new_text, "rb_str_new" },
	{ &ruby.push, "rb_ary_push" },
	{ &ruby.keep, "rb_gc_register_mark_object" },
	{ &ruby.intern, "rb_intern" },
	{ &ruby.symbol, "rb_id2sym" },
	{ &ruby.statistic, "rb_gc_stat" },
	{ &ruby.allocate, "ruby_xmalloc" },
};

static size_t count_arguments(void)
{
	const value *array = (const value *)ruby.arguments();

	return array[0] & IS_EMBEDDED ? array[0] >> LENGTH_SHIFT & LENGTH_BITS : array[LENGTH_WORD];
}

static void level_objects(void)
{
	size_t wanted = EVEN_OBJECTS - count_arguments() % EVEN_OBJECTS;
	value kept = ruby.new_array(EVEN_OBJECTS);

	for (size_t i = 0; i < wanted; i++)
		ruby.push(kept, ruby.new_text("", 0));
	ruby.keep(kept);
}

/* A block of a power of two is no larger than what was asked for. */
static void level_bytes(value name)
{
	size_t wanted = EVEN_BYTES - ruby.statistic(name) % EVEN_BYTES;

	for (size_t bytes = LARGEST_BLOCK; bytes >= sizeof(value); bytes /= 2) {
		for (; wanted >= bytes; wanted -= bytes)
			ruby.allocate(bytes);
	}
}

void krb_level(void)
{
	if (!ksh_find_symbols(RTLD_DEFAULT, symbols, sizeof(symbols) / sizeof(symbols[0])))
		return;
	level_objects();
	level_bytes(ruby.symbol(ruby.intern("malloc_increase_bytes")));
}
