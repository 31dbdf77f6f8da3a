/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a reader keeps of an interpreter does not change while it may be read: an interpreter that is loaded again
 * elsewhere has another place for that, and after a few of those it is not looked for any more.
 */
#include "language/language.h"

#include "system/dynsym.h"
#include "language/lua.h"
#include "language/luajit.h"
#include "language/perl.h"
#include "language/php.h"
#include "language/python.h"
#include "language/ruby.h"
#include "site/loader.h"
#include "site/module.h"
#include "system/option.h"
#include "language/reader.h"
#include "segment/stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define PLACES 4u

static const struct ksm_reader *const readers[] = {
	&ksm_language_python, &ksm_language_php, &ksm_language_ruby, &ksm_language_perl,
	&ksm_language_lua, &ksm_language_luajit, &ksm_language_php_threads,
};

#define READERS KSM_COUNT_OF(readers)

/* An interpreter at one address. */
struct place {
	uintptr_t bias;
	bool is_used;
	bool is_known; /* its version */
	_Alignas(16) unsigned char state[KSM_READER_BYTES];
};

static struct place places[READERS][PLACES] KSM_SPARSE; /* Synchronization: who looks. */

/* What is loaded now; NULL: none, or one of a version that is not known. Synchronization: atomic. */
static _Atomic(const void *) active[READERS];

static atomic_flag is_looking = ATOMIC_FLAG_INIT;
static atomic_uint looked_at; /* generation of the modules, and one more */
static atomic_ullong loaded;  /* objects, when they were looked through */

/* The program's own. Synchronization: the context is written first. */
static void *callback_context;
static _Atomic(ksm_language_callback *) own_callback;

static pthread_t first_thread; /* of the process. Synchronization: written before there is another one. */

void ksm_language_init(void)
{
	first_thread = pthread_self();
}

void ksm_language_postfork_child(void)
{
	atomic_flag_clear(&is_looking);
}

void ksm_language_forget(void)
{
	for (size_t i = 0; i < READERS; i++)
		atomic_store(&active[i], NULL);
	atomic_store(&looked_at, 0);
}

/* --- finding interpreters -------------------------------------------------------------------- */

struct search {
	const void *found[READERS];
	uint32_t known;	  /* a bit for each language */
	uint32_t unknown;
	unsigned long long loaded; /* objects up to now */
	bool is_behind_program;	   /* the first object was seen */
};

/* The place of an interpreter at this address; a new one if need be, NULL if there is none. */
static struct place *find_place(size_t reader, uintptr_t bias)
{
	struct place *list = places[reader];

	for (uint32_t i = 0; i < PLACES; i++)
		if (!list[i].is_used || list[i].bias == bias)
			return &list[i];
	return NULL;
}

static void look_at(struct search *search, size_t index, const struct ksm_dynsym *object)
{
	_Alignas(16) unsigned char state[KSM_READER_BYTES] = { 0 };
	int error = readers[index]->find(object, state);
	uint32_t bit = 1u << readers[index]->language;
	struct place *place;

	if (error == -ENOENT)
		return;
	place = find_place(index, object->bias);
	if (error || !place || (place->is_used && memcmp(place->state, state, sizeof(state)) != 0)) {
		search->unknown |= bit;
		return;
	}
	if (!place->is_used) {
		memcpy(place->state, state, sizeof(state));
		place->bias = object->bias;
		place->is_used = true;
	}
	search->found[index] = place->state;
	search->known |= bit;
}

struct ksm_dynsym ksm_reader_program; /* Synchronization: who looks. */

static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	struct ksm_dynsym object;

	if (size >= offsetof(struct dl_phdr_info, dlpi_subs))
		search->loaded = info->dlpi_adds;
	if (!ksm_dynsym_of(info, &object)) {
		search->is_behind_program = true;
		return 0;
	}
	if (!search->is_behind_program)
		ksm_reader_program = object;
	search->is_behind_program = true;
	for (size_t i = 0; i < READERS; i++)
		if (!search->found[i])
			look_at(search, i, &object);
	return 0;
}

void *(*ksm_reader_tls_address)(struct ksm_tls_index *index); /* Synchronization: who looks, before others do. */

static int find_tls(struct dl_phdr_info *info, size_t size, void *unused)
{
	struct ksm_dynsym object;
	void *address;

	(void)size;
	(void)unused;
	address = ksm_dynsym_of(info, &object) ? ksm_reader_symbol(&object, "__tls_get_addr") : NULL;
	ksm_reader_tls_address = (void *(*)(struct ksm_tls_index *))address;
	return address != NULL;
}

/* Looks through the loaded objects. If another thread is at it, this one goes by what it knew before. */
KSM_COLD static void look(uint32_t generation)
{
	struct search search = { 0 };

	if (atomic_flag_test_and_set(&is_looking))
		return;
	/* Code and data have gone, perhaps: the loader unmaps them by itself. */
	ksm_readable_forget_all();
	if (!ksm_reader_tls_address) {
		ksm_loader_iterate(find_tls, NULL);
		ksm_unwind_find_interrupts();
	}
	/* What was known stays where the loader cannot be asked. */
	if (ksm_loader_iterate(visit, &search) < 0) {
		atomic_flag_clear(&is_looking);
		return;
	}
	for (size_t i = 0; i < READERS; i++)
		atomic_store_explicit(&active[i], search.found[i], memory_order_release);
	ksm_stat->header.languages = search.known;
	ksm_stat->header.languages_unknown = search.unknown;
	atomic_store(&loaded, search.loaded);
	atomic_store(&looked_at, generation + 1);
	atomic_flag_clear(&is_looking);
}

/* Looks at the first object, which tells how many were loaded. */
static int count_loaded(struct dl_phdr_info *info, size_t size, void *count)
{
	if (size >= offsetof(struct dl_phdr_info, dlpi_subs))
		*(unsigned long long *)count = info->dlpi_adds;
	return 1;
}

bool ksm_language_look_again(void)
{
	unsigned long long count = atomic_load(&loaded);

	/* Each new stack comes here, and a child need not wait for ever because of a thread that its parent had. */
	if (ksm_options.language != KSM_LANGUAGE_ON || ksm_loader_is_inherited())
		return false;
	if (ksm_loader_iterate(count_loaded, &count) < 0 || count == atomic_load(&loaded))
		return false;
	look(ksm_module_generation());
	return true;
}

/* --- frames ---------------------------------------------------------------------------------- */

int ksm_language_set_callback(ksm_language_callback *callback, void *context)
{
	if (ksm_options.language == KSM_LANGUAGE_OFF)
		return -EPERM;
	atomic_store(&own_callback, NULL);
	callback_context = context;
	atomic_store(&own_callback, callback);
	return 0;
}

static void set_text(struct ksm_text *text, const char *bytes, size_t most)
{
	*text = (struct ksm_text){ .bytes = bytes, .length = bytes ? (uint32_t)strnlen(bytes, most) : 0 };
}

static void ask_program(ksm_language_callback *callback, struct ksm_script *script)
{
	for (uint32_t i = 0; i < KSMALLOC_MAX_SCRIPT_FRAMES; i++) {
		struct ksm_script_frame *frame = &script->frames[script->count];
		struct ksmalloc_frame told = { 0 };

		if (callback(callback_context, i, &told) != 0)
			return;
		/* A frame of which nothing is known is none. */
		if (!told.file && !told.function)
			continue;
		*frame = (struct ksm_script_frame){ .language = KSMALLOC_LANGUAGE_SCRIPT,
						    .line = told.line,
						    .has_line = true };
		set_text(&frame->file, told.file, KSM_SCRIPT_FILE_BYTES);
		set_text(&frame->function, told.function, KSM_SCRIPT_FUNCTION_BYTES);
		script->count++;
	}
}

void ksm_language_walk(const struct ksm_stack *stack, struct ksm_script *script)
{
	ksm_language_callback *callback = atomic_load_explicit(&own_callback, memory_order_acquire);
	uint32_t generation = ksm_module_generation();

	ksm_script_clear(script);
	if (callback)
		ask_program(callback, script);
	if (script->count || ksm_options.language != KSM_LANGUAGE_ON)
		return;
	if (atomic_load_explicit(&looked_at, memory_order_acquire) != generation + 1)
		look(generation);
	/* What is interrupted may be between any two steps; what its handler takes is not the script's, anyway. */
	if (ksm_unwind_is_interrupt(stack))
		return;
	for (size_t i = 0; i < READERS && !script->count; i++) {
		const void *state = atomic_load_explicit(&active[i], memory_order_acquire);

		script->reader = (uint32_t)i;
		if (state && (!readers[i]->only_first_thread || pthread_equal(pthread_self(), first_thread)))
			readers[i]->walk(state, stack, script);
	}
}

/* Both halves of a product, which all bits of both numbers go into. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#define MIX_WITH UINT64_C(0x9e3779b97f4a7c15)

/* All of up to 16 bytes, some of them twice, as wyhash has it. */
static uint64_t hash_few(const unsigned char *bytes, uint32_t length, uint64_t seed)
{
	uint64_t first = 0, last = 0;

	if (length >= 8) {
		memcpy(&first, bytes, 8);
		memcpy(&last, bytes + length - 8, 8);
	} else if (length >= 4) {
		memcpy(&first, bytes, 4);
		memcpy(&last, bytes + length - 4, 4);
	} else if (length) {
		first = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[length / 2] << 8 | bytes[length - 1];
	}
	return mix(mix(first ^ MIX_WITH, last ^ seed) ^ length, MIX_WITH);
}

static __attribute__((noinline)) uint64_t hash_many(const void *bytes, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, length, seed);
}

/* Most names are short, and for these there is a shorter way than XXH3's. */
static uint64_t hash_text(const struct ksm_text *text, uint32_t most, uint64_t seed)
{
	if (ksm_likely(text->length <= 16))
		return hash_few(text->bytes, text->length, seed);
	return hash_many(text->bytes, ksm_min(text->length, most), seed);
}

/* Is this the same text in the same place? */
static bool is_same_text(const struct ksm_text *text, const struct ksm_text *other)
{
	return text->bytes == other->bytes && text->length == other->length;
}

/*
 * Frames of one file, which most are that call each other, have it once: that there is another one like it says as much. The same
 * with what functions belong to.
 */
uint64_t ksm_language_hash(const struct ksm_script *script, uint64_t seed)
{
	const struct ksm_text none = { 0 };
	const struct ksm_text *file = &none;
	const struct ksm_text *owner = &none;

	for (uint32_t i = 0; i < script->count; i++) {
		const struct ksm_script_frame *frame = &script->frames[i];

		/* A sum: both may be the line where the function begins, and are not to cancel each other. */
		seed ^= frame->position + ((uint64_t)(frame->line + frame->made_number) << 32);
		seed = (seed ^ seed >> 32) * MIX_WITH;
		if (!is_same_text(&frame->file, file))
			seed = hash_text(&frame->file, KSM_SCRIPT_FILE_BYTES, seed);
		if (!is_same_text(&frame->owner, owner))
			seed = hash_text(&frame->owner, KSM_SCRIPT_FUNCTION_BYTES, seed);
		seed = hash_text(&frame->function, KSM_SCRIPT_FUNCTION_BYTES, seed ^ (uintptr_t)frame->code);
		file = &frame->file;
		owner = &frame->owner;
	}
	return seed;
}

/* Is there such a frame among the first ones, at the same line? */
static bool has_line_among(const struct ksm_script *script, uint32_t count, const struct ksm_script_frame *frame)
{
	for (uint32_t i = 0; i < count; i++)
		if (script->frames[i].code == frame->code && script->frames[i].line == frame->line)
			return true;
	return false;
}

/* Two places in one line, as a recursion has that calls itself twice there, are told apart only until the line is known. */
static void fold(struct ksm_script *script)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < script->count; i++) {
		const struct ksm_script_frame *frame = &script->frames[i];

		if (frame->code && frame->line && has_line_among(script, count, frame))
			continue;
		if (count != i)
			script->frames[count] = *frame;
		count++;
	}
	script->count = count;
}

void ksm_language_find_lines(struct ksm_script *script)
{
	const struct ksm_reader *reader = readers[script->reader];
	const void *state = atomic_load_explicit(&active[script->reader], memory_order_acquire);

	for (uint32_t i = 0; i < script->count; i++) {
		struct ksm_script_frame *frame = &script->frames[i];

		if (frame->has_line || !reader->line || !state)
			continue;
		frame->line = reader->line(state, frame);
		frame->has_line = true;
	}
	fold(script);
}
