/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap of a runtime whose collector moves objects: two semispaces, each a labelled arena. Objects are made by moving a
 * pointer in one of them; a collection copies what is reachable into the other one, and gives the first back whole. Large
 * objects stay where malloc puts them.
 *
 * All decisions follow from what the program has allocated, none from time, addresses or chance: the heaps of two workers
 * that have done the same are equal, page for page.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>
#include <stdint.h>

/* A number, shifted left with the lowest bit set, or the address of an object; 0 is nothing. */
typedef uint64_t value;

struct object {
	uint64_t header; /* the number of fields, as a value is a number; where it was moved: its new address */
	value fields[];
};

static inline value value_of_number(int64_t number)
{
	return (uint64_t)number << 1 | 1;
}

static inline int64_t number_of_value(value from)
{
	return (int64_t)from >> 1;
}

/* roots calls visit for each place that holds a value: a collection may change it. Exits if there is no address space. */
void heap_init(void (*roots)(void (*visit)(value *place)));

/*
 * An object whose fields are nothing, or NULL without memory. Whatever is not in a root may be gone or elsewhere afterwards.
 * name tells for whom a large one is, in the language of the program; it may return NULL.
 */
struct object *heap_new(size_t count, const char *(*name)(void));

/*
 * Where the program comes to rest: collects once or twice, so that objects lie in the first semispace, in the order in which they
 * are reached, in each worker, however many collections it has had. Then it shares what others have, too.
 */
void heap_rest(void);

/* So many collections there were. */
unsigned int heap_collections(void);

#endif
