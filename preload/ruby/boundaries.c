/* SPDX-License-Identifier: BSD-2-Clause */
#include "boundaries.h"

#include "pages.h"
#include "value.h"

#include "../symbols.h"

#include "ksmalloc/stream.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#pragma weak ksmalloc_mappings_follow
#pragma weak ksmalloc_stream_rare_anchor

#define EXPORT __attribute__((visibility("default")))

/* --- what is used of ruby -------------------------------------------------------------------------- */

/* As in ruby's headers, like value.h. */
#define OBJECT 0x01 /* RUBY_T_OBJECT */
#define FLOAT 0x04 /* RUBY_T_FLOAT */
#define STRING 0x05 /* RUBY_T_STRING */
#define ARRAY 0x07 /* RUBY_T_ARRAY */
#define STRUCT 0x09 /* RUBY_T_STRUCT */
#define NUMBER 1 /* a bit of each small integer, and of no pointer to an object */
#define BYTES_ARE_ELSEWHERE (1 << 13) /* RSTRING_NOEMBED */
#define LENGTH_SHIFT 14 /* RSTRING_EMBED_LEN_SHIFT */
#define LENGTH_BITS 0x1f

#define NEW_OBJECT 0x100000 /* RUBY_INTERNAL_EVENT_NEWOBJ */
#define SAFE_AND_RAW 5 /* RUBY_EVENT_HOOK_FLAG_SAFE | RUBY_EVENT_HOOK_FLAG_RAW_ARG */
#define NIL 8 /* Qnil */

#define NO_CLASS 0 /* programs do not see such objects */

#define SLOT_WORDS 5
#define SLOTS_OF_PAGE 409

typedef void hook_function(value data, void *event);
typedef int slots_function(void *begin, void *end, size_t slot_bytes, void *argument);

static struct {
	void *const *machine; /* the virtual machine, NULL where ruby has ended */
	int (*call_later)(unsigned int flags, void (*job)(void *argument), void *argument);
	void (*hook)(hook_function *function, uint32_t events, value data, int flags);
	int (*unhook)(hook_function *function);
	value (*object_of)(void *event);
	value (*new_object)(value class, value flags);
	void (*each_page)(slots_function *see, void *argument);
	size_t (*collections)(void);
	value (*disable_collector)(void);
	value (*enable_collector)(void);
	const unsigned int *traced; /* events that somebody is told of, of any object */
	const unsigned int *traces; /* how many tell of events of single methods */
	const value *ractor_class;
	void *const *only_ractor; /* NULL from where the first one beside it begins */
} ruby;

static const struct ksh_symbol symbols[] = {
	{ &ruby.machine, "ruby_current_vm_ptr" },
	{ &ruby.call_later, "rb_postponed_job_register_one" },
	{ &ruby.hook, "rb_add_event_hook2" },
	{ &ruby.unhook, "rb_remove_event_hook" },
	{ &ruby.object_of, "rb_tracearg_object" },
	{ &ruby.new_object, "rb_newobj_of" },
	{ &ruby.each_page, "rb_objspace_each_objects_without_setup" },
	{ &ruby.collections, "rb_gc_count" },
	{ &ruby.disable_collector, "rb_gc_disable" },
	{ &ruby.enable_collector, "rb_gc_enable" },
	{ &ruby.traced, "ruby_vm_event_flags" },
	{ &ruby.traces, "ruby_vm_event_local_num" },
	{ &ruby.ractor_class, "rb_cRactor" },
	{ &ruby.only_ractor, "ruby_single_main_ractor" },
};

/* --- which object it is ---------------------------------------------------------------------------- */

#define LONGEST_STRING 256 /* that is hashed */

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* Of its bytes; 0 if it has none, or many. */
static uint64_t hash_of_string(const value *string)
{
	bool is_elsewhere = string[0] & BYTES_ARE_ELSEWHERE;
	size_t length = is_elsewhere ? string[2] : string[0] >> LENGTH_SHIFT & LENGTH_BITS;
	const char *bytes = is_elsewhere ? (const char *)string[3] : (const char *)&string[2];
	uint64_t hash = length;
	uint64_t part = 0;

	if (!bytes || length - 1 >= LONGEST_STRING)
		return 0;
	for (; length >= sizeof(part); length -= sizeof(part), bytes += sizeof(part)) {
		memcpy(&part, bytes, sizeof(part));
		hash = (hash ^ part) * MULTIPLIER;
	}
	part = 0;
	memcpy(&part, bytes, length);
	hash = (hash ^ part) * MULTIPLIER;
	return hash ^ hash >> 32;
}

/* Of small integers and floats that lie in it; pointers and what is empty tell nothing. 0 if there are none. */
static uint64_t hash_of_numbers(const value *object)
{
	uint64_t hash = 0;

	for (size_t i = 2; i < SLOT_WORDS; i++) {
		if (object[i] & NUMBER)
			hash = (hash ^ object[i]) * MULTIPLIER;
	}
	return hash;
}

/* Equal in equal processes, wherever the object lies. 0 if it has no content that tells it from others. */
static uint64_t hash_of(value object)
{
	const value *words = (const value *)object;

	switch (words[0] & TYPES) {
	case STRING:
		return hash_of_string(words);
	case OBJECT:
	case ARRAY:
	case STRUCT:
		return hash_of_numbers(words);
	case FLOAT:
		return words[2] * MULTIPLIER;
	}
	return 0;
}

static bool is_one_in(unsigned int objects, value object)
{
	uint64_t hash = hash_of(object);

	return hash && (hash * MULTIPLIER >> 32) % objects == 0;
}

/* --- the boundary ---------------------------------------------------------------------------------- */

/* The last object that was made while one is looked for. Synchronization: ruby's lock. */
static value newest;

/* The hash of the object that the last boundary was found by; 0: there was none. Synchronization: ruby's lock. */
static uint64_t last_boundary;

/*
 * There are some, or were, or are about to be: before it counts its first one ruby warns, which runs code of the
 * program's, and of other threads.
 */
static bool has_ractors(void)
{
	return !*ruby.only_ractor;
}

/*
 * Malloc's blocks, which ruby's pointers lead to, go on at equal places from some boundaries on: from the first one
 * behind each of these numbers of pages, each a quarter more than the one before. They are the same in all processes, so
 * that one with a page more takes the same boundary.
 */
#define FIRST_ANCHOR 64
#define NO_ANCHOR SIZE_MAX

/* Synchronization: ruby's lock. */
static size_t next_anchor = FIRST_ANCHOR;

static void pass_anchor(void)
{
	size_t pages = krb_pages_count();

	if (pages < next_anchor || !ksmalloc_stream_rare_anchor)
		return;
	while (next_anchor <= pages)
		next_anchor += next_anchor / 4;
	ksmalloc_stream_rare_anchor(&last_boundary, sizeof(last_boundary));
}

/* Called by ruby between two instructions: the rest of the page is filled. */
static void begin_page(void *argument)
{
	uintptr_t page = krb_page_of(newest);
	size_t collections = ruby.collections();

	(void)argument;
	if (!has_ractors())
		krb_pages_skip();
	pass_anchor();
	for (unsigned int made = 0; made < SLOTS_OF_PAGE; made++) {
		value object = ruby.new_object(NO_CLASS, STRING | WRITES_ARE_TOLD);

		if (krb_page_of(object) != page || ruby.collections() != collections)
			return;
	}
}

/* --- looking for the object ------------------------------------------------------------------------ */

/*
 * One in so many objects that have content is taken. One that is shifted begins to look an object sooner, and finds
 * another one if that is of the kind: the more seldom they are, the more seldom that happens.
 */
#define OBJECTS_APART 256

/*
 * To look at an object takes some hundred instructions. As many may be looked at as this for each page that is begun,
 * an eighth or less of all, and what was not needed is kept for later, up to a limit.
 */
#define OBJECTS_TO_SEE_OF_PAGE 25
#define MOST_OBJECTS_TO_SEE 4096

/* One is looked for. Synchronization: ruby's lock. */
static bool looks;

/* Synchronization: of calls that ruby makes with its lock. */
static unsigned int objects_to_see;
static size_t pages_begun; /* since the last boundary, or since one was looked for */

static void pass_boundary(value object)
{
	looks = false;
	pages_begun = 0;
	last_boundary = hash_of(object);
	ruby.call_later(0, begin_page, NULL);
}

/*
 * An object is complete, and it is there, if the next one lies in its page: pages are given back when all in them is
 * garbage, but not before the collector has run.
 */
static void pass_object(value object, value next)
{
	if (krb_page_of(object) == krb_page_of(next) && is_one_in(OBJECTS_APART, object))
		pass_boundary(object);
	else if (!objects_to_see)
		looks = false;
	objects_to_see -= objects_to_see > 0;
}

/*
 * Ruby tells of new objects by way of the running thread's frame, and one that begins a ractor makes some before it has
 * a frame: nobody may look then. A ractor has an object, made by the thread that makes the ractor, before it runs.
 */
static bool is_ractor(value object)
{
	return ((const value *)object)[1] == *ruby.ractor_class;
}

/* What is filled in would be kept for ever then. To ask by rb_gc_disable() would end a sweep that is under way. */
static bool has_no_collector(void)
{
	if (ruby.enable_collector() != TRUE_VALUE)
		return false;
	ruby.disable_collector();
	return true;
}

/* Called by ruby when it has made an object, before there is anything in it. */
static void see(value data, void *event)
{
	value before = newest;

	(void)data;
	newest = ruby.object_of(event);
	if (is_ractor(newest) || has_ractors())
		looks = false;
	if (looks && before)
		pass_object(before, newest);
	if (!looks)
		ruby.unhook(see);
}

/* A debugger, or a profiler. */
static bool is_traced(void)
{
	return *ruby.traced || *ruby.traces;
}

/* Called by ruby between two instructions. */
static void look(void *argument)
{
	(void)argument;
	if (looks || is_traced() || has_ractors() || has_no_collector())
		return;
	newest = 0;
	looks = true;
	ruby.hook(see, NEW_OBJECT, NIL, SAFE_AND_RAW);
}

/* --- when ------------------------------------------------------------------------------------------ */

/* A boundary for each such part of all pages, and not more often than for so many. */
#define PARTS 64
#define LEAST_PAGES 10

/* Where ruby lies, its code among it; nowhere before krb_boundaries_start(). */
static struct {
	uintptr_t begin, end;
} code;

static bool is_ruby(const void *caller)
{
	return (uintptr_t)caller - code.begin < code.end - code.begin;
}

/* May be called while ruby collects. */
static void count(unsigned int begun)
{
	objects_to_see += begun * OBJECTS_TO_SEE_OF_PAGE;
	if (objects_to_see > MOST_OBJECTS_TO_SEE)
		objects_to_see = MOST_OBJECTS_TO_SEE;
	pages_begun += begun;
	if (pages_begun < LEAST_PAGES || pages_begun < krb_pages_count() / PARTS || !*ruby.machine)
		return;
	pages_begun = 0;
	ruby.call_later(0, look, NULL);
}

/*
 * The first pages of a boundary's have a place that follows from it, out of about twice as many as there are boundaries
 * among all pages. One page more before it does not move them, and a table of the kernel's for 2 MiB is half used. They lie
 * behind all else that is mapped.
 */
#define PLACE_BYTES ((size_t)512 << 10)
#define PAGES_OF_PLACE (PLACE_BYTES / (2 * KRB_PAGE_BYTES))
#define LEAST_PLACES 64
#define FIRST_PLACE ((size_t)64 << 30)

static size_t place_of(uint64_t boundary)
{
	size_t places = LEAST_PLACES;

	if (!boundary)
		return 0;
	while (places * PAGES_OF_PLACE < 2 * krb_pages_count())
		places *= 2;
	return FIRST_PLACE + (boundary * MULTIPLIER >> 44) % places * PLACE_BYTES;
}

typedef int clock_function(clockid_t clock, struct timespec *time);

/* Ruby maps a page of objects with room to align it. */
static size_t mapped(const void *caller, size_t bytes)
{
	if (bytes != 2 * KRB_PAGE_BYTES || !is_ruby(caller))
		return 0;
	count(1);
	return place_of(last_boundary);
}

/* Synchronization: written before there are threads. */
static clock_function *next_clock_gettime;

__attribute__((constructor(101))) static void find_next(void)
{
	next_clock_gettime = (clock_function *)dlsym(RTLD_NEXT, "clock_gettime");
}

/* Ruby reads the clock of the processor's time when it begins and ends to collect, or to sweep some pages more. */
static void swept(void)
{
	unsigned int taken = has_ractors() ? 0 : krb_pages_swept(ruby.collections());

	if (taken)
		count(taken);
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!next_clock_gettime)
		find_next();
	if (clock == CLOCK_PROCESS_CPUTIME_ID && is_ruby(__builtin_return_address(0)))
		swept();
	return next_clock_gettime(clock, time);
}

/* --- start ----------------------------------------------------------------------------------------- */

/* Called by ruby, which ends to tell of its pages then: one is as all are. */
static int look_at_page(void *begin, void *end, size_t slot_bytes, void *are_known)
{
	*(bool *)are_known = krb_pages_start(begin, end, slot_bytes);
	return 1;
}

static bool knows_pages(void)
{
	bool are_known = false;

	ruby.each_page(look_at_page, &are_known);
	return are_known;
}

void krb_boundaries_start(void)
{
	/* It came with glibc 2.35; linked, it would keep every program from starting with an older one. */
	__typeof__(&_dl_find_object) find_object = (__typeof__(&_dl_find_object))dlsym(RTLD_DEFAULT, "_dl_find_object");
	struct dl_find_object file;

	if (code.end || !ksmalloc_mappings_follow || !find_object ||
	    !ksh_find_symbols(RTLD_DEFAULT, symbols, sizeof(symbols) / sizeof(symbols[0])) ||
	    find_object((void *)ruby.new_object, &file) || !knows_pages())
		return;
	code.end = (uintptr_t)file.dlfo_map_end;
	code.begin = (uintptr_t)file.dlfo_map_start;
	ksmalloc_mappings_follow(mapped);
}

void krb_boundaries_begin_child(void)
{
	/* What a child passes is its own affair: children.h counts its anchors. */
	next_anchor = NO_ANCHOR;
	last_boundary = 0;
	pages_begun = 0;
	objects_to_see = 0;
}
