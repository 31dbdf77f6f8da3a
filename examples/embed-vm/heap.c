/* SPDX-License-Identifier: BSD-2-Clause */
/* A collector after Cheney: what was copied and not yet looked at lies between two pointers. */
#include "heap.h"

#include <ksmalloc/embed.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESERVED ((size_t)1 << 30) /* address space of a semispace: it costs nothing */
#define LEAST	 ((size_t)1 << 20) /* bytes of a semispace, at least */
#define LARGE	 ((size_t)16 << 10) /* from here on ksmalloc places blocks by their site */

struct large {
	struct large *next;
	struct large *next_reached; /* of those that are still to be looked at */
	bool is_reached;
	struct object object;
};

static struct {
	struct ksmalloc_heap spaces[2];
	unsigned int current; /* the one that has the objects */
	size_t used;	      /* bytes of it */
	unsigned int collections;
	struct large *all;
	struct large *reached;
	void (*roots)(void (*visit)(value *place));
} heap;

static size_t bytes_of(size_t count)
{
	return sizeof(struct object) + count * sizeof(value);
}

static size_t count_of(const struct object *object)
{
	return (size_t)(object->header >> 1);
}

void heap_init(void (*roots)(void (*visit)(value *place)))
{
	heap.roots = roots;
	if (ksmalloc_heap_reserve(&heap.spaces[0], "vm: semispace 0", RESERVED, 0) != 0 ||
	    ksmalloc_heap_reserve(&heap.spaces[1], "vm: semispace 1", RESERVED, 0) != 0 ||
	    ksmalloc_heap_resize(&heap.spaces[0], LEAST) != 0) {
		fprintf(stderr, "vm: no address space for the heap\n");
		exit(1);
	}
}

/* --- a collection --------------------------------------------------------------------------- */

static bool is_in(const struct ksmalloc_heap *space, const void *address)
{
	return (uintptr_t)address - (uintptr_t)space->base < space->committed;
}

static void reach_large(struct object *object)
{
	struct large *large = (struct large *)((char *)object - offsetof(struct large, object));

	if (large->is_reached)
		return;
	large->is_reached = true;
	large->next_reached = heap.reached;
	heap.reached = large;
}

/* Moves the object that the place points to into the other space, unless it was, and lets the place point there. */
static void visit(value *place)
{
	struct object *object = (struct object *)(uintptr_t)*place, *moved;
	struct ksmalloc_heap *to = &heap.spaces[!heap.current];

	if (!object || (*place & 1))
		return;
	if (!is_in(&heap.spaces[heap.current], object)) {
		if (!is_in(to, object))
			reach_large(object);
		return;
	}
	if (object->header & 1) {
		moved = (struct object *)(to->base + heap.used);
		memcpy(moved, object, bytes_of(count_of(object)));
		heap.used += bytes_of(count_of(object));
		object->header = (uintptr_t)moved;
	}
	*place = object->header;
}

static void visit_fields(struct object *object)
{
	for (size_t i = 0; i < count_of(object); i++)
		visit(&object->fields[i]);
}

static void free_large(void)
{
	struct large **link = &heap.all;

	while (*link) {
		struct large *large = *link;

		if (large->is_reached) {
			large->is_reached = false;
			link = &large->next;
		} else {
			*link = large->next;
			free(large);
		}
	}
}

/* Afterwards there is room for more bytes. False without memory: the heap is as it was. */
static bool collect(size_t more)
{
	struct ksmalloc_heap *from = &heap.spaces[heap.current], *to = &heap.spaces[!heap.current];
	size_t looked_at = 0, wanted;

	/* What is not touched takes no memory. */
	if (ksmalloc_heap_resize(to, heap.used) != 0)
		return false;
	heap.used = 0;
	heap.roots(visit);
	while (looked_at < heap.used || heap.reached) {
		struct large *large = heap.reached;

		if (looked_at < heap.used) {
			struct object *object = (struct object *)(to->base + looked_at);

			visit_fields(object);
			looked_at += bytes_of(count_of(object));
		} else {
			heap.reached = large->next_reached;
			visit_fields(&large->object);
		}
	}
	free_large();
	ksmalloc_heap_resize(from, 0);
	heap.current = !heap.current;
	heap.collections++;
	/* Twice what lives, in whole steps: small differences between workers change nothing. */
	wanted = (2 * heap.used + more + LEAST - 1) / LEAST * LEAST;
	if (ksmalloc_heap_resize(to, wanted) != 0 && to->committed < heap.used + more)
		return false;
	ksmalloc_heap_set_live(to, heap.used);
	return true;
}

/* --- objects -------------------------------------------------------------------------------- */

/* Under a label, if there is a name for it: the collector knows the block, and the report the function of the script. */
static struct object *new_large(size_t count, const char *name)
{
	int begun = name ? ksmalloc_embed_begin_name(name) : 0;
	struct large *large = calloc(1, sizeof(*large) + count * sizeof(value));

	if (name)
		ksmalloc_embed_end(begun);
	if (!large)
		return NULL;
	large->next = heap.all;
	heap.all = large;
	large->object.header = value_of_number((int64_t)count);
	return &large->object;
}

struct object *heap_new(size_t count, const char *(*name)(void))
{
	size_t bytes = bytes_of(count);
	struct object *object;

	if (bytes >= LARGE)
		return new_large(count, name());
	if (bytes > heap.spaces[heap.current].committed - heap.used && !collect(bytes))
		return NULL;
	object = (struct object *)(heap.spaces[heap.current].base + heap.used);
	heap.used += bytes;
	/* Memory of a semispace is zero when it comes, and was not used since. */
	object->header = value_of_number((int64_t)count);
	return object;
}

void heap_rest(void)
{
	if (!collect(0))
		return;
	if (heap.current != 0 && !collect(0))
		return;
	ksmalloc_embed_share();
}

unsigned int heap_collections(void)
{
	return heap.collections;
}
