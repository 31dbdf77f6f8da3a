/* SPDX-License-Identifier: BSD-2-Clause */
#include "children.h"

#include "../symbols.h"
#include "idle.h"
#include "slabs.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct object;
typedef struct object object;

typedef object *method_function(object *self, object *arguments);

/* As in Python's headers, which need not be there when this is built. */
struct method {
	const char *name;
	method_function *call;
	int flags;
	const char *doc;
};

#define METHOD_WITHOUT_ARGUMENTS 4 /* METH_NOARGS */

/* What every version has in its stable interface. */
static struct {
	const char *(*version)(void);
	int (*is_initialized)(void);
	int (*add_pending_call)(int (*call)(void *argument), void *argument);
	object *(*import)(const char *name);
	object *(*of_interpreter)(const char *name); /* borrowed */
	object *(*item)(object *dictionary, const char *name); /* borrowed */
	object *(*attribute)(object *of, const char *name);
	object *(*call)(object *function, object *arguments, object *names);
	object *(*make_function)(struct method *method, object *self, object *module);
	object *(*make_tuple)(ssize_t items);
	object *(*make_list)(ssize_t items);
	object *(*make_float)(double value);
	object *(*make_dictionary)(void);
	int (*set_item)(object *dictionary, const char *name, object *value);
	object *(*call_with)(object *function, const char *format, ...);
	int (*is_true)(object *o);
	void (*untrack)(void *o);
	void (*delete_tracked)(void *o);
	void (*delete)(void *o);
	void (*release)(object *o);
	void (*keep)(object *o);
	void (*clear_error)(void);
	object *dictionary_type;
	object *none;
} python;

static const struct ksh_symbol symbols[] = {
	{ &python.version, "Py_GetVersion" },
	{ &python.is_initialized, "Py_IsInitialized" },
	{ &python.add_pending_call, "Py_AddPendingCall" },
	{ &python.import, "PyImport_ImportModule" },
	{ &python.of_interpreter, "PySys_GetObject" },
	{ &python.item, "PyDict_GetItemString" },
	{ &python.attribute, "PyObject_GetAttrString" },
	{ &python.call, "PyObject_Call" },
	{ &python.make_function, "PyCFunction_NewEx" },
	{ &python.make_tuple, "PyTuple_New" },
	{ &python.make_list, "PyList_New" },
	{ &python.make_float, "PyFloat_FromDouble" },
	{ &python.make_dictionary, "PyDict_New" },
	{ &python.set_item, "PyDict_SetItemString" },
	{ &python.call_with, "PyObject_CallFunction" },
	{ &python.is_true, "PyObject_IsTrue" },
	{ &python.untrack, "PyObject_GC_UnTrack" },
	{ &python.delete_tracked, "PyObject_GC_Del" },
	{ &python.delete, "PyObject_Free" },
	{ &python.release, "Py_DecRef" },
	{ &python.keep, "Py_IncRef" },
	{ &python.clear_error, "PyErr_Clear" },
	{ &python.dictionary_type, "PyDict_Type" },
	{ &python.none, "_Py_NoneStruct" },
};

/*
 * 3.8 refuses pending calls from the moment on when it begins to end, before atexit's functions, and says so on
 * stderr. Nothing tells from outside whether it has begun.
 */
static bool refuses_aloud;

bool ksp_children_find(void *scope)
{
	if (!ksh_find_symbols(scope, symbols, KSM_COUNT_OF(symbols)))
		return false;
	refuses_aloud = strncmp(python.version(), "3.8.", 4) == 0;
	return true;
}

/* --- versions of dictionaries ------------------------------------------------------------------ */

/*
 * Up to 3.11 each change of a dictionary takes a number from a counter, and the dictionary keeps it
 * (PEP 509): one change more in the master, and no dictionary of the child has the numbers that it has in
 * other children. The counter has no name outside of Python. It is found by what it does: it
 * is the word of Python's data that is, after each change, what the dictionary shows.
 */
static uint64_t *counter;

#define VERSION_AT 3 /* a dictionary's words: count of references, type, items, version */
#define LOOKS	   8 /* at a candidate, before it is believed */

/* Children begin at the next multiple: no program makes so many changes. */
#define SHIFT_OF_CHILD 48

/* The smallest of the steps at anchors; and how far a new slab with dictionaries is from the one before, see below. */
#define SHIFT_OF_ANCHOR 28
#define SHIFT_OF_SLAB	16

/*
 * And at anchors it goes on at the next multiple of one of these. One anchor more in one process would
 * leave it behind for ever, if all had the same: so the fewer anchors there are of a kind, the larger their step.
 */
static const struct {
	uint32_t anchors; /* one of so many, by its rank */
	unsigned int shift;
} steps[] = { { 64, 42 }, { 8, 36 }, { 1, SHIFT_OF_ANCHOR } };

/* Versions go on at the next multiple of 2 to the shift. */
static void go_on_at(unsigned int shift)
{
	if (counter)
		*counter = ksm_align_up(*counter + 1, UINT64_C(1) << shift);
}

/* The version that a change gives now. */
static uint64_t new_version(void)
{
	object *dictionary = python.make_dictionary();
	uint64_t version = 0;

	if (dictionary) {
		version = ((const uint64_t *)(const void *)dictionary)[VERSION_AT];
		python.release(dictionary);
	}
	return version;
}

/* Believes a word that has followed the versions several times, and that they follow when it is set. */
static bool is_counter(uint64_t *word)
{
	uint64_t was;
	bool follows;

	for (int i = 0; i < LOOKS; i++) {
		uint64_t version = new_version();

		if (!version || *word != version)
			return false;
	}
	was = *word;
	*word = was + LOOKS;
	follows = new_version() == was + LOOKS + 1 && *word == was + LOOKS + 1;
	if (!follows)
		*word = was;
	return follows;
}

/* The first word from this one on that has the value; end if there is none. The C library goes four times as fast. */
static uint64_t *find_word(uint64_t *from, uint64_t *end, uint64_t value)
{
	const wchar_t *half = (const wchar_t *)from;
	const wchar_t *behind = (const wchar_t *)end;

	static_assert(2 * sizeof(wchar_t) == sizeof(uint64_t) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
		      "a word's first half is its lower one");
	while ((half = wmemchr(half, (wchar_t)value, (size_t)(behind - half)))) {
		if ((uintptr_t)half % sizeof(uint64_t) == 0 && *(const uint64_t *)half == value)
			return (uint64_t *)(uintptr_t)half;
		half++;
	}
	return end;
}

/* Looks through the writable data of the file that Python is. */
static int find_counter(struct dl_phdr_info *file, size_t size, void *argument)
{
	uintptr_t type = (uintptr_t)python.dictionary_type;

	(void)size;
	(void)argument;
	for (int i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &file->dlpi_phdr[i];
		uintptr_t begin = file->dlpi_addr + part->p_vaddr;
		uint64_t *end = (uint64_t *)ksm_align_down(begin + part->p_memsz, sizeof(*end));
		uint64_t version;
		uint64_t *word;

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W) ||
		    type - begin >= part->p_memsz)
			continue;
		version = new_version();
		word = find_word((uint64_t *)ksm_align_up(begin, sizeof(*word)), end, version);
		for (; word < end; word = find_word(word + 1, end, version)) {
			if (is_counter(word)) {
				counter = word;
				return 1;
			}
			version = new_version();
		}
		return 1;
	}
	return 0;
}

/* --- free lists ---------------------------------------------------------------------------------- */

/*
 * Types keep some of their dead objects for the next one. What a process takes from there lies where it lay before the
 * last anchor, or in a child in memory of its master's, and another process's lists are a little longer or shorter: what
 * comes after that is shifted. So the lists are emptied, by making objects until the heap is asked for one, and their
 * memory goes back to the heap. None of these objects was ever seen by anybody.
 */
#define MOST_FREE  4096 /* no list is longer */
#define KEPT_TUPLE 20	/* longer ones have no list */

/* Each returns true if there may be more: the heap was not asked for what was made. */
static bool drop_tracked(object *o, uint64_t mark)
{
	bool more = o && ksp_mark() == mark;

	if (o) {
		python.untrack(o);
		python.delete_tracked(o);
	}
	return more;
}

static bool drop_tuple(ssize_t items)
{
	uint64_t mark = ksp_mark();

	return drop_tracked(python.make_tuple(items), mark);
}

static bool drop_list(void)
{
	uint64_t mark = ksp_mark();

	return drop_tracked(python.make_list(0), mark);
}

static bool drop_dictionary(void)
{
	uint64_t mark = ksp_mark();

	return drop_tracked(python.make_dictionary(), mark);
}

static bool drop_float(void)
{
	uint64_t mark = ksp_mark();
	object *o = python.make_float(0.5);
	bool more = o && ksp_mark() == mark;

	python.delete(o);
	return more;
}

/* The table of a dictionary has a list of its own. A dictionary's words: ..., version, table. */
static bool drop_table(void)
{
	object *o = python.make_dictionary();
	uint64_t mark = ksp_mark();
	bool more = false;

	if (o && python.set_item(o, "x", python.none) == 0) {
		more = ksp_mark() == mark;
		python.delete(((void **)(void *)o)[VERSION_AT + 1]);
	}
	drop_tracked(o, mark);
	return more;
}

static void empty_lists(void)
{
	for (ssize_t items = 1; items <= KEPT_TUPLE; items++) {
		for (int i = 0; i < MOST_FREE && drop_tuple(items); i++)
			;
	}
	for (int i = 0; i < MOST_FREE && drop_list(); i++)
		;
	for (int i = 0; i < MOST_FREE && drop_float(); i++)
		;
	for (int i = 0; i < MOST_FREE && drop_dictionary(); i++)
		;
	for (int i = 0; i < MOST_FREE && drop_table(); i++)
		;
}

/* --- the collector ------------------------------------------------------------------------------- */

/* gc.isenabled, gc.collect, gc.disable and gc.enable; NULL before the first fork. */
static struct {
	object *is_enabled;
	object *collect;
	object *disable;
	object *enable;
} collector;

static object *function_of(object *module, const char *name)
{
	object *function = module ? python.attribute(module, name) : NULL;

	python.clear_error();
	return function;
}

static void find_collector(void)
{
	object *module = python.import("gc");

	collector.is_enabled = function_of(module, "isenabled");
	collector.collect = function_of(module, "collect");
	collector.disable = function_of(module, "disable");
	collector.enable = function_of(module, "enable");
	python.release(module);
	python.clear_error();
}

static void call(object *function)
{
	object *result = function ? python.call_with(function, NULL) : NULL;

	python.release(result);
	python.clear_error();
}

/* A program that has switched the collector off does not count. */
static bool collects(void)
{
	object *enabled = collector.is_enabled ? python.call_with(collector.is_enabled, NULL) : NULL;
	bool result = enabled && python.is_true(enabled) == 1;

	python.release(enabled);
	python.clear_error();
	return result;
}

/* --- after a change of the stream ------------------------------------------------------------------ */

/* Python is ready for what is done between two instructions. Synchronization: the interpreter's lock. */
static bool is_ready;

/* The Python that the functions were registered in has ended; there may be another one later. */
static bool has_ended;

/* The process is one that os.fork() made. */
static bool is_child;

/* Synchronization: the interpreter's lock. */
static bool is_queued;

/* The child has collected what its master left. */
static bool has_collected;

/*
 * When cycles are looked for next depends on how many objects were made since the last time, and that differs in
 * children. The two young generations are collected, which are small, and begin to count anew.
 * Not in a child that only executes something or ends: it would run its master's finalizers.
 */
static void collect_young(void)
{
	if (is_child && !has_collected && collects() && collector.collect)
		python.release(python.call_with(collector.collect, "i", 1));
	has_collected = true;
	python.clear_error();
}

/* The program runs, and an anchor of its own was followed. Synchronization: the interpreter's lock. */
static bool has_begun;

/*
 * True when Python's own start is over. What it did depends on environment and arguments more than anything else
 * does. Its last step is the module site, which is being initialized meanwhile.
 */
static bool has_started(void)
{
	object *modules = python.of_interpreter("modules");
	object *site = modules ? python.item(modules, "site") : NULL;
	object *spec = site ? python.attribute(site, "__spec__") : NULL;
	object *initializing = spec ? python.attribute(spec, "_initializing") : NULL;
	bool result = !initializing || python.is_true(initializing) != 1;

	python.release(initializing);
	python.release(spec);
	python.clear_error();
	return result;
}

/*
 * Called between two instructions of the program, after an anchor. That is where the objects that follow go to its
 * stream: those that were made since then may have come from a list, or not.
 */
static int settle(void *argument)
{
	bool begins = !has_begun && has_started();

	(void)argument;
	is_queued = false;
	has_begun |= begins;
	collect_young();
	if (ksp_go_on(begins) || is_child) {
		empty_lists();
		/* As many dictionaries were made as the list was long. */
		go_on_at(SHIFT_OF_ANCHOR);
	}
	python.clear_error();
	return 0;
}

/*
 * A program may end Python and go on to use its memory, or start it once more. Meanwhile there is no interpreter that a
 * call could be left with, and what an ended one had is gone.
 */
static void follow_life(void)
{
	if (!python.is_initialized()) {
		has_ended |= is_ready;
		is_ready = false;
		is_queued = false;
		memset(&collector, 0, sizeof(collector));
	} else if (has_ended) {
		has_ended = !ksp_children_try_to_register();
	}
}

/* The caller may be anywhere inside of Python, or after its end. */
bool ksp_children_moved(uint32_t rank)
{
	size_t i = 0;

	follow_life();
	if (is_ready && !is_queued && !refuses_aloud)
		is_queued = python.add_pending_call(settle, NULL) == 0;
	while (rank % steps[i].anchors)
		i++;
	go_on_at(steps[i].shift);
	return is_queued;
}

/* A dictionary without its table. */
#define DICTIONARY_BYTES 64

/*
 * One change more in one process, and all dictionaries that are made afterwards have other versions than in others. So
 * with each new slab of them versions go on at a number that follows from the slab's; where that is passed already,
 * because many were changed, at a multiple of the step.
 */
void ksp_children_added(size_t size, uint32_t number)
{
	uint64_t version;

	if (!counter || size != DICTIONARY_BYTES)
		return;
	version = ksm_align_down(*counter, UINT64_C(1) << SHIFT_OF_ANCHOR) + ((uint64_t)number << SHIFT_OF_SLAB);
	if (version > *counter)
		*counter = version;
	else
		go_on_at(SHIFT_OF_SLAB);
}

/* --- in the child -------------------------------------------------------------------------------- */

/*
 * Other modules have not yet renewed their locks: nothing is collected here, whose finalizers might
 * wait for one.
 */
static object *after_fork(object *self, object *arguments)
{
	bool collected = collects();

	(void)self;
	(void)arguments;
	is_child = true;
	is_queued = false;
	has_collected = false;
	ksp_idle_forked();
	if (collected)
		call(collector.disable);
	empty_lists();
	if (collected)
		call(collector.enable);
	go_on_at(SHIFT_OF_CHILD);
	python.clear_error();
	python.keep(python.none);
	return python.none;
}

/* --- in the parent ------------------------------------------------------------------------------- */

/* What children need is looked for before the first of them is made. */
static object *before_fork(object *self, object *arguments)
{
	(void)self;
	(void)arguments;
	if (!collector.collect)
		find_collector();
	python.keep(python.none);
	return python.none;
}

/* --- registration -------------------------------------------------------------------------------- */

static struct method before_method = { "ksmalloc_before_fork", before_fork,
				       METHOD_WITHOUT_ARGUMENTS, NULL };
static struct method after_method = { "ksmalloc_after_fork", after_fork, METHOD_WITHOUT_ARGUMENTS,
				      NULL };

static bool add_function(object *by_name, const char *name, struct method *method)
{
	object *function = python.make_function(method, NULL, NULL);
	bool added = function && python.set_item(by_name, name, function) == 0;

	python.release(function);
	return added;
}

/*
 * posix.register_at_fork(before=before_fork, after_in_child=after_fork). Called by Python's main thread
 * between two instructions of a program, which may be those of an import: nothing is imported here.
 */
static int register_functions(void *argument)
{
	object *modules = python.of_interpreter("modules");
	object *function = function_of(modules ? python.item(modules, "posix") : NULL, "register_at_fork");
	object *arguments = python.make_tuple(0);
	object *by_name = python.make_dictionary();

	(void)argument;
	is_ready = true;
	if (!counter)
		dl_iterate_phdr(find_counter, NULL);
	if (function && arguments && by_name && add_function(by_name, "before", &before_method) &&
	    add_function(by_name, "after_in_child", &after_method))
		python.release(python.call(function, arguments, by_name));
	python.clear_error();
	python.release(by_name);
	python.release(arguments);
	python.release(function);
	return 0;
}

bool ksp_children_try_to_register(void)
{
	return python.is_initialized() && python.add_pending_call(register_functions, NULL) == 0;
}
