/* SPDX-License-Identifier: BSD-2-Clause */
#include "fork.h"

#include "heap.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

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
	int (*is_initialized)(void);
	int (*add_pending_call)(int (*call)(void *argument), void *argument);
	object *(*import)(const char *name);
	object *(*attribute)(object *of, const char *name);
	object *(*call)(object *function, object *arguments, object *names);
	object *(*make_function)(struct method *method, object *self, object *module);
	object *(*make_tuple)(ssize_t items);
	object *(*make_dictionary)(void);
	int (*set_item)(object *dictionary, const char *name, object *value);
	void (*release)(object *o);
	void (*keep)(object *o);
	void (*clear_error)(void);
	object *dictionary_type;
	object *none;
} python;

static const struct {
	void *where;
	const char *name;
} names[] = {
	{ &python.is_initialized, "Py_IsInitialized" },
	{ &python.add_pending_call, "Py_AddPendingCall" },
	{ &python.import, "PyImport_ImportModule" },
	{ &python.attribute, "PyObject_GetAttrString" },
	{ &python.call, "PyObject_Call" },
	{ &python.make_function, "PyCFunction_NewEx" },
	{ &python.make_tuple, "PyTuple_New" },
	{ &python.make_dictionary, "PyDict_New" },
	{ &python.set_item, "PyDict_SetItemString" },
	{ &python.release, "Py_DecRef" },
	{ &python.keep, "Py_IncRef" },
	{ &python.clear_error, "PyErr_Clear" },
	{ &python.dictionary_type, "PyDict_Type" },
	{ &python.none, "_Py_NoneStruct" },
};

bool ksp_fork_find(void *scope)
{
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		void *found = dlsym(scope, names[i].name);

		if (!found)
			return false;
		memcpy(names[i].where, &found, sizeof(found));
	}
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
#define FIRST_OF_CHILD (UINT64_C(1) << 40)

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

/* Looks through the writable data of the file that Python is. */
static int find_counter(struct dl_phdr_info *file, size_t size, void *argument)
{
	uintptr_t type = (uintptr_t)python.dictionary_type;

	(void)size;
	(void)argument;
	for (int i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &file->dlpi_phdr[i];
		uintptr_t begin = file->dlpi_addr + part->p_vaddr;
		uint64_t version;

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W) ||
		    type - begin >= part->p_memsz)
			continue;
		version = new_version();
		for (uint64_t *word = (uint64_t *)ksm_align_up(begin, sizeof(*word));
		     (uintptr_t)(word + 1) <= begin + part->p_memsz; word++) {
			if (*word == version && is_counter(word)) {
				counter = word;
				return 1;
			}
			if (*word == version)
				version = new_version();
		}
		return 1;
	}
	return 0;
}

/* --- in the child -------------------------------------------------------------------------------- */

static object *after_fork(object *self, object *arguments)
{
	(void)self;
	(void)arguments;
	if (counter)
		*counter = ksm_align_up(*counter + 1, FIRST_OF_CHILD);
	python.keep(python.none);
	return python.none;
}

/* --- registration -------------------------------------------------------------------------------- */

static struct method after_fork_method = { "ksmalloc_after_fork", after_fork,
					   METHOD_WITHOUT_ARGUMENTS, NULL };

/* posix.register_at_fork(after_in_child=after_fork) */
static bool register_child(void)
{
	object *module = python.import("posix");
	object *function = module ? python.attribute(module, "register_at_fork") : NULL;
	object *arguments = python.make_tuple(0);
	object *by_name = python.make_dictionary();
	object *ours = python.make_function(&after_fork_method, NULL, NULL);
	object *result = NULL;

	if (function && arguments && by_name && ours &&
	    python.set_item(by_name, "after_in_child", ours) == 0)
		result = python.call(function, arguments, by_name);
	python.clear_error();
	python.release(result);
	python.release(ours);
	python.release(by_name);
	python.release(arguments);
	python.release(function);
	python.release(module);
	return result;
}

/* Called by Python's main thread between two instructions of a program. */
static int when_ready(void *argument)
{
	(void)argument;
	if (register_child())
		dl_iterate_phdr(find_counter, NULL);
	return 0;
}

bool ksp_fork_try_to_register(void)
{
	return python.is_initialized() && python.add_pending_call(when_ready, NULL) == 0;
}
