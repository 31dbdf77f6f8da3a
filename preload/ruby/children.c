/* SPDX-License-Identifier: BSD-2-Clause */
#include "children.h"

#include "boundaries.h"
#include "level.h"
#include "title.h"
#include "value.h"

#include "../symbols.h"

#include "ksmalloc/stream.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#pragma weak ksmalloc_stream_follow
#pragma weak ksmalloc_stream_leave_start

/* --- what is used of ruby -------------------------------------------------------------------------- */

/* As in ruby's headers, like value.h. */
#define NOTHING 0 /* Qfalse */
#define ZERO 1 /* INT2FIX(0) */
#define NO_OBJECT 0 /* RUBY_T_NONE */
#define LAST_SEEN 0x0f /* no more types from here on that a program sees: RUBY_T_COMPLEX */
#define DEAD_OBJECT 0x1d /* RUBY_T_ZOMBIE: its finalizer is to run */
#define MOVED_OBJECT 0x1e /* RUBY_T_MOVED */
#define FREE_AT_ONCE 1 /* RUBY_TYPED_FREE_IMMEDIATELY */

struct data_type {
	const char *name;
	struct {
		void (*mark)(void *data);
		void (*free)(void *data);
		size_t (*size)(const void *data);
		void (*compact)(void *data);
		void *reserved[1];
	} functions;
	const struct data_type *parent;
	void *of_type;
	value flags;
};

typedef value method_function(value self);
typedef int slots_function(void *begin, void *end, size_t stride, void *argument);

static struct {
	const int *version;
	void *const *machine; /* the virtual machine, NULL where ruby has ended */
	const value *object_class;
	const value *process_module;
	int (*call_later)(unsigned int flags, void (*job)(void *argument), void *argument);
	void (*each_page)(slots_function *see, void *argument);
	value (*collect)(void);
	value (*disable_collector)(void);
	value (*enable_collector)(void);
	value (*new_object)(value class);
	value (*wrap)(value class, void *data, const struct data_type *type);
	void (*mark)(value object);
	size_t (*size)(value object);
	void (*keep)(value *variable);
	value (*intern)(const char *name);
	int (*responds)(value object, value name);
	value (*new_module)(void);
	void (*define_method)(value module, const char *name, method_function *method, int arguments);
	value (*class_of_one)(value object);
	void (*prepend)(value class, value module);
	value (*call_super)(int count, const value *arguments);
} ruby;

static const struct ksh_symbol symbols[] = {
	{ &ruby.version, "ruby_api_version" },
	{ &ruby.machine, "ruby_current_vm_ptr" },
	{ &ruby.object_class, "rb_cObject" },
	{ &ruby.process_module, "rb_mProcess" },
	{ &ruby.call_later, "rb_postponed_job_register_one" },
	{ &ruby.each_page, "rb_objspace_each_objects" },
	{ &ruby.collect, "rb_gc_start" },
	{ &ruby.disable_collector, "rb_gc_disable" },
	{ &ruby.enable_collector, "rb_gc_enable" },
	{ &ruby.new_object, "rb_obj_alloc" },
	{ &ruby.wrap, "rb_data_typed_object_wrap" },
	{ &ruby.mark, "rb_gc_mark" },
	{ &ruby.size, "rb_obj_memsize_of" },
	{ &ruby.keep, "rb_gc_register_address" },
	{ &ruby.intern, "rb_intern" },
	{ &ruby.responds, "rb_respond_to" },
	{ &ruby.new_module, "rb_module_new" },
	{ &ruby.define_method, "rb_define_method" },
	{ &ruby.class_of_one, "rb_singleton_class" },
	{ &ruby.prepend, "rb_prepend_module" },
	{ &ruby.call_super, "rb_call_super" },
};

static bool find_ruby(void)
{
	return ksh_find_symbols(RTLD_DEFAULT, symbols, sizeof(symbols) / sizeof(symbols[0])) &&
	       ruby.version[0] == 3 && ruby.version[1] == 1;
}

/* --- inherited pages ------------------------------------------------------------------------------- */

/* A larger heap is left as it is: 5 MiB of objects, which are marked in some ms. */
#define MOST_SLOTS 131072

/* And so is one whose objects have more memory outside of it: it is not to be kept longer than the program keeps it. */
#define MOST_BYTES ((size_t)64 << 20)

/* What a child may have more than when it began, where all that it has is to be kept once more. */
#define MOST_BYTES_OF_CHILD ((size_t)4 << 20)

#define SLOTS_OF_PAGE 448 /* there are 408 or 409 */

struct page {
	uintptr_t begin, end; /* its slots */
	size_t stride;
	uint64_t kept[SLOTS_OF_PAGE / 64]; /* a bit for each slot */
};

/* In the order of their addresses, after sort(). */
struct pages {
	size_t count, room;
	size_t slots;
	struct page page[];
};

static size_t size_of_pages(const void *data)
{
	const struct pages *pages = data;

	return sizeof(*pages) + pages->room * sizeof(pages->page[0]);
}

static int add_page(void *begin, void *end, size_t stride, void *argument)
{
	struct pages *pages = argument;

	pages->slots += ((uintptr_t)end - (uintptr_t)begin) / stride;
	if (pages->count < pages->room)
		pages->page[pages->count] =
			(struct page){ .begin = (uintptr_t)begin, .end = (uintptr_t)end, .stride = stride };
	pages->count++;
	return 0;
}

/* How many slots ruby has. */
static size_t count_slots(void)
{
	struct pages none = { 0 };

	ruby.each_page(add_page, &none);
	return none.slots;
}

/* Not from malloc, whose blocks are the program's, and are to lie where they lie in other children. */
static struct pages *map_pages(size_t count)
{
	size_t bytes = sizeof(struct pages) + count * sizeof(struct page);
	struct pages *pages =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	pages->room = count;
	return pages;
}

static void unmap_pages(void *data)
{
	munmap(data, size_of_pages(data));
}

/* They come in nearly this order. qsort(3) may allocate. */
static void sort(struct pages *pages)
{
	for (size_t i = 1; i < pages->count; i++) {
		struct page moved = pages->page[i];
		size_t at = i;

		for (; at && pages->page[at - 1].begin > moved.begin; at--)
			pages->page[at] = pages->page[at - 1];
		pages->page[at] = moved;
	}
}

/* All pages that ruby has now; NULL without memory. */
static struct pages *look(void)
{
	struct pages first = { 0 };
	struct pages *pages;

	ruby.each_page(add_page, &first);
	pages = map_pages(first.count);
	if (!pages)
		return NULL;
	ruby.each_page(add_page, pages);
	if (pages->count == pages->room) {
		sort(pages);
		return pages;
	}
	unmap_pages(pages);
	return NULL;
}

static bool holds(const struct pages *pages, uintptr_t slot)
{
	size_t low = 0;
	size_t high = pages->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (slot >= pages->page[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pages->count && slot >= pages->page[low].begin;
}

/* --- what lies in them ----------------------------------------------------------------------------- */

static uintptr_t slot_of(const struct page *page, size_t number)
{
	uintptr_t slot = page->begin + number * page->stride;

	return slot < page->end ? slot : 0;
}

/* The memory of all objects that a program can have, beyond their slots. */
static size_t count_bytes(const struct pages *pages)
{
	size_t bytes = 0;

	for (size_t i = 0; i < pages->count; i++) {
		const struct page *page = &pages->page[i];
		uintptr_t slot;

		for (size_t number = 0; number < SLOTS_OF_PAGE && (slot = slot_of(page, number)); number++) {
			value type = *(const value *)slot & TYPES;
			size_t size = type != NO_OBJECT && type <= LAST_SEEN ? ruby.size(slot) : 0;

			bytes += size > page->stride ? size - page->stride : 0;
		}
	}
	return bytes;
}

/* What is in use now is kept: a slot's first word has the object's type, 0 if it is free. */
static void choose_all(struct pages *pages)
{
	for (size_t i = 0; i < pages->count; i++) {
		struct page *page = &pages->page[i];
		uintptr_t slot;

		for (size_t number = 0; number < SLOTS_OF_PAGE && (slot = slot_of(page, number)); number++) {
			value type = *(const value *)slot & TYPES;

			if (type != NO_OBJECT && type != DEAD_OBJECT)
				page->kept[number / 64] |= UINT64_C(1) << number % 64;
		}
	}
}

/*
 * rb_gc_mark_maybe() would look for the page of each of them first, which takes longer than to mark it; but that is known, and the
 * page is there as long as they are.
 */
static void mark(uintptr_t slot)
{
	value type = *(const value *)slot & TYPES;

	if (type != NO_OBJECT && type != DEAD_OBJECT && type != MOVED_OBJECT)
		ruby.mark(slot);
}

/* Called by the collector. What is marked so stays where it is. */
static void mark_all(void *data)
{
	const struct pages *pages = data;

	for (size_t i = 0; i < pages->count; i++) {
		const struct page *page = &pages->page[i];

		for (size_t number = 0; number < SLOTS_OF_PAGE; number++) {
			if (page->kept[number / 64] >> number % 64 & 1)
				mark(slot_of(page, number));
		}
	}
}

/*
 * Writes to it are told, as there are none: it holds what was there when it was made. When it has become old, young
 * collections do not look at it.
 */
static const struct data_type inherited_type = {
	.name = "ksmalloc/inherited",
	.functions = { .mark = mark_all, .free = unmap_pages, .size = size_of_pages },
	.flags = FREE_AT_ONCE | WRITES_ARE_TOLD,
};

/* The object that keeps what was inherited. Synchronization: ruby's lock. */
static value inherited;

/* New objects take what is free in the pages, one slot after another, until one lies elsewhere. */
static void fill(const struct pages *pages)
{
	size_t made = 0;

	while (made++ < pages->slots && holds(pages, ruby.new_object(*ruby.object_class)))
		;
}

/* Those that the child had when it began. Synchronization: ruby's lock. */
static size_t bytes_at_fork;

static void keep_all(struct pages *pages)
{
	static bool is_known;

	fill(pages);
	choose_all(pages);
	if (!is_known)
		ruby.keep(&inherited);
	is_known = true;
	inherited = ruby.wrap(NOTHING, pages, &inherited_type);
}

/* False where nothing is kept. */
static bool keep_inherited(bool begins)
{
	struct pages *pages;
	size_t bytes;

	ruby.enable_collector();
	ruby.collect();
	ruby.disable_collector();
	/* The collector has given pages back; from now on it keeps them. */
	pages = look();
	if (!pages)
		return false;
	bytes = count_bytes(pages);
	if (begins)
		bytes_at_fork = bytes;
	if (bytes > (begins ? MOST_BYTES : bytes_at_fork + MOST_BYTES_OF_CHILD)) {
		unmap_pages(pages);
		return false;
	}
	keep_all(pages);
	return true;
}

/* --- when ---------------------------------------------------------------------------------------- */

/*
 * At so many anchors after a fork it is done once more. Servers start a thread or two in a new worker, and what these
 * allocate comes before or behind an object of the first thread's, as it happens.
 */
#define ANCHORS_OF_CHILD 4

/* How many are to come; 0 in a process that is no child. Synchronization: written with ruby's lock; others only look. */
static volatile int anchors_to_come;

/*
 * Ruby ends a program that has no memory for the collector, and raises an error where there is none for an object: not
 * in a child that might have gone on without either. So nothing is done where this much is not to be had.
 */
#define LEAST_ROOM ((size_t)4 << 20)

static bool has_room(void)
{
	void *room = mmap(NULL, LEAST_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return false;
	munmap(room, LEAST_ROOM);
	return true;
}

/* False where all is as it was. */
static bool settle(bool begins)
{
	bool kept;

	if (!has_room() || ruby.disable_collector() == TRUE_VALUE)
		return false;
	kept = count_slots() <= MOST_SLOTS && keep_inherited(begins);
	ruby.enable_collector();
	return kept;
}

/*
 * Process._fork, through which Kernel#fork, Process.fork and IO.popen go, is there to be overridden so. In the child ruby
 * has put its own state right when it returns, and no line of the program has run.
 */
static value fork_and_settle(value self)
{
	value pid = ruby.call_super(0, NULL);

	(void)self;
	if (pid == ZERO) {
		anchors_to_come = 0;
		krb_boundaries_begin_child();
		anchors_to_come = settle(true) ? ANCHORS_OF_CHILD : 0;
	}
	return pid;
}

/* The module is in place. Synchronization: as above. */
static volatile bool is_installed;

static void install(void)
{
	value module;

	if (!*ruby.process_module || !ruby.responds(*ruby.process_module, ruby.intern("_fork")))
		return;
	is_installed = true;
	module = ruby.new_module();
	ruby.define_method(module, "_fork", fork_and_settle, 0);
	ruby.prepend(ruby.class_of_one(*ruby.process_module), module);
	krb_boundaries_start();
}

/*
 * Ruby loads two tables of encodings, then makes ARGV, and then opens the script, or the first file of its own library:
 * the fourth anchor tells that ARGV is there.
 */
#define ANCHOR_OF_SCRIPT 4

/*
 * So many were passed, no more than are counted; one more when what they stand for was left. Synchronization: of the thread that
 * the process began with.
 */
static volatile int anchors_of_start;

static bool is_to_leave_start(void)
{
	return anchors_of_start == ANCHOR_OF_SCRIPT;
}

/* What comes next is the same in workers that differ in arguments and environment, and goes on at equal places. */
static void leave_start(void)
{
	anchors_of_start = ANCHOR_OF_SCRIPT + 1;
	krb_title_begin();
	krb_level();
	if (ksmalloc_stream_leave_start)
		ksmalloc_stream_leave_start();
}

/* Called by ruby between two instructions, which may be of those that it starts with. */
static void pass_anchor(void *argument)
{
	(void)argument;
	if (!is_installed)
		install();
	if (is_to_leave_start()) {
		leave_start();
	} else if (anchors_to_come) {
		anchors_to_come--;
		settle(false);
	}
}

/* A file was opened, or a library loaded. This may be a signal handler, or a function of exit(3), when ruby has ended. */
static void moved(void)
{
	if (!*ruby.machine)
		return;
	if (anchors_of_start < ANCHOR_OF_SCRIPT)
		anchors_of_start++;
	if (!is_installed || is_to_leave_start() || anchors_to_come)
		ruby.call_later(0, pass_anchor, NULL);
}

void krb_children_start(void)
{
	if (ksmalloc_stream_follow && find_ruby())
		ksmalloc_stream_follow(moved);
}
