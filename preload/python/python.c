/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-python.so: a library of its own, which `ksmalloc run --profile=python` loads.
 *
 * CPython's own allocator goes on, in the child of a fork, in memory that it inherited half full. What
 * is half full differs a little from worker to worker, and so does everything after that. Here
 * objects get memory of the stream that the worker is in (slabs.h), through the interface that Python
 * has for that: PyMem_SetAllocator(), for the domains of objects and of memory below them.
 *
 * When: before the first object. A Python that is there when the program starts gets it before
 * main; one that is loaded later when it makes its first lock, see pthread_condattr_setclock() below.
 * What is allocated already goes back to the allocator that it came from.
 *
 * When not: without streams (the private layout, or without libksmalloc.so); where the user has
 * chosen an allocator, or the interpreter was built for another one; and from 3.12 on, where
 * interpreters may have a lock of their own each, and allocate at the same time. Python is as
 * it always is then.
 *
 * Locking: both domains may be used with the interpreter lock held only; that is the heap's lock.
 */
#include "arguments.h"
#include "children.h"
#include "idle.h"
#include "slabs.h"

#include "ksmalloc/stream.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static_assert(KSP_STREAMS == KSMALLOC_STREAMS, "one heap for each stream");

/* As in Python's own headers, which need not be there when this is built; equal since 3.5. */
struct allocator {
	void *context;
	void *(*malloc)(void *context, size_t size);
	void *(*calloc)(void *context, size_t count, size_t size);
	void *(*realloc)(void *context, void *old, size_t size);
	void (*free)(void *context, void *p);
};

enum domain { RAW, MEMORY, OBJECTS };

typedef void allocator_function(enum domain domain, struct allocator *allocator);
typedef const char *version_function(void);

/* What was there before, for each domain: what the heap does not hold is theirs. Written once. */
static struct allocator before[OBJECTS + 1];
static bool installed;

/* What is to be done at forks is registered, or cannot be. */
static bool registered = true;

/* --- the allocator --------------------------------------------------------------------------- */

/*
 * Where the heap has nothing at hand; and all that is not the heap's. This comes again and again while
 * Python starts, and long before the first fork: that is when forks are seen to.
 */
__attribute__((noinline)) static void *new_slowly(void *context, size_t size)
{
	struct allocator *other = context;
	void *result = NULL;

	if (ksm_unlikely(!registered))
		registered = ksp_children_try_to_register();
	if (size - 1 < KSP_LARGEST)
		result = ksp_alloc_slowly(ksp_class(size));
	return result ? result : other->malloc(other->context, size);
}

static void *new_object(void *context, size_t size)
{
	void *result;

	if (ksm_unlikely(size - 1 >= KSP_FINE))
		return new_slowly(context, size);
	result = ksp_try_alloc(size);
	return ksm_likely(result) ? result : new_slowly(context, size);
}

/* Until Python has made objects of its arguments. */
static void *new_at_start(void *context, size_t size)
{
	struct allocator *other = context;

	return ksp_arguments_is_string(size) ? other->malloc(other->context, size) : new_object(context, size);
}

static void *new_zeros(void *context, size_t count, size_t size)
{
	struct allocator *other = context;
	size_t bytes;
	void *result;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes - 1 >= KSP_LARGEST)
		return other->calloc(other->context, count, size);
	result = new_object(context, bytes);
	return result ? memset(result, 0, bytes) : NULL;
}

static void free_object(void *context, void *p)
{
	struct allocator *other = context;

	if (ksm_likely(ksp_holds(p)))
		ksp_free(p);
	else
		other->free(other->context, p);
}

/* An object that becomes a little smaller stays where it is, as in Python's own allocator. */
static void *resize(void *context, void *old, size_t size)
{
	size_t room;
	void *result;

	if (!ksp_holds(old)) {
		struct allocator *other = context;

		return old ? other->realloc(other->context, old, size) : new_object(context, size);
	}
	room = ksp_size(old);
	if (size <= room && 4 * size > 3 * room)
		return old;
	result = new_object(context, size);
	if (!result)
		return size <= room ? old : NULL;
	memcpy(result, old, size < room ? size : room);
	ksp_free(old);
	return result;
}

/* --- installation ---------------------------------------------------------------------------- */

/* Written once. */
static void *(*map_stream)(unsigned int stream, size_t bytes);
static void (*give_back)(void *pages, size_t bytes);

/* What a class has not needed yet is left out of it, and a huge page would fill that. */
static void *map_objects(unsigned int stream, size_t bytes)
{
	void *result = map_stream(stream, bytes);

	/* By the system call: for libksmalloc it would be a wish of the program's, against huge pages of what is shared, too. */
	if (result)
		syscall(SYS_madvise, result, bytes, MADV_NOHUGEPAGE);
	return result;
}

/* True for 3.8 to 3.11. */
static bool is_known(const char *version)
{
	char *end;
	long minor;

	if (strncmp(version, "3.", 2) != 0)
		return false;
	minor = strtol(version + 2, &end, 10);
	return minor >= 8 && minor <= 11;
}

/* True if the user wants Python's memory to be as he says. */
static bool is_chosen(void)
{
	const char *choice = getenv("PYTHONMALLOC");

	return choice && choice[0];
}

/*
 * True if Python allocates objects as it usually does. Debug hooks have a context; an
 * interpreter that was built without an allocator of its own has malloc in all domains.
 */
static bool is_usual(allocator_function *get)
{
	struct allocator raw;

	get(RAW, &raw);
	get(MEMORY, &before[MEMORY]);
	get(OBJECTS, &before[OBJECTS]);
	return !before[OBJECTS].context && !before[MEMORY].context &&
	       before[OBJECTS].malloc != raw.malloc && before[MEMORY].malloc != raw.malloc;
}

static bool start_heap(void)
{
	struct ksp_source source = { .moved = ksp_children_moved, .added = ksp_children_added };

	if (!ksh_source_follow(&source.memory, ksp_moved))
		return false;
	map_stream = source.memory.map;
	source.memory.map = map_objects;
	give_back = source.memory.give_back;
	ksp_start(&source);
	return true;
}

/* Written once. */
static allocator_function *get_allocator;
static allocator_function *set_allocator;

/* Where somebody has put his own in front of ours that stays. */
static void leave_start(void)
{
	for (enum domain domain = MEMORY; domain <= OBJECTS; domain++) {
		struct allocator now;

		get_allocator(domain, &now);
		if (now.malloc != new_at_start)
			continue;
		now.malloc = new_object;
		set_allocator(domain, &now);
	}
}

/* scope is where Python's functions are looked up. */
static void install(void *scope)
{
	allocator_function *get = (allocator_function *)dlsym(scope, "PyMem_GetAllocator");
	allocator_function *set = (allocator_function *)dlsym(scope, "PyMem_SetAllocator");
	version_function *version = (version_function *)dlsym(scope, "Py_GetVersion");

	if (installed || !get || !set || !version || !is_known(version()) || is_chosen() ||
	    !is_usual(get) || !start_heap())
		return;
	installed = true;
	registered = !ksp_children_find(scope);
	if (!registered)
		ksp_idle_start(scope, give_back);
	get_allocator = get;
	set_allocator = set;
	for (enum domain domain = MEMORY; domain <= OBJECTS; domain++) {
		struct allocator ours = { &before[domain], new_at_start, new_zeros, resize, free_object };

		set(domain, &ours);
	}
	ksp_arguments_start(scope, leave_start);
}

typedef int set_clock_function(pthread_condattr_t *attributes, clockid_t clock);
static set_clock_function *next_set_clock;
/* It came with glibc 2.35; linked, it would keep every program from starting with an older one. */
static __typeof__(&_dl_find_object) find_object;

__attribute__((constructor)) static void start(void)
{
	next_set_clock = (set_clock_function *)dlsym(RTLD_NEXT, "pthread_condattr_setclock");
	find_object = (__typeof__(&_dl_find_object))dlsym(RTLD_DEFAULT, "_dl_find_object");
	install(RTLD_DEFAULT);
}

static bool is_python(const struct link_map *file)
{
	const char *slash = strrchr(file->l_name, '/');

	return strstr(slash ? slash : file->l_name, "python") != NULL;
}

/*
 * CPython, of all versions that are known here, makes its locks on the monotonic clock, and
 * makes one before it allocates an object. So this is called out of a Python that was loaded after the
 * start, by whatever means and into whatever scope; the caller's address tells which file that is.
 */
__attribute__((visibility("default"))) int pthread_condattr_setclock(pthread_condattr_t *attributes,
								     clockid_t clock)
{
	struct dl_find_object found;
	void *caller;

	if (!next_set_clock)
		start();
	/* Everybody else is let through without the loader's lock, which a thread may wait for that started this one. */
	if (!installed && find_object && find_object(__builtin_return_address(0), &found) == 0 && is_python(found.dlfo_link_map)) {
		caller = dlopen(found.dlfo_link_map->l_name, RTLD_LAZY | RTLD_NOLOAD);
		if (caller) {
			install(caller);
			dlclose(caller);
		}
	}
	return next_set_clock(attributes, clock);
}
