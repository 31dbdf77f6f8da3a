/* SPDX-License-Identifier: BSD-2-Clause */
#include "lists.h"

#include "interpreter.h"

#include <stddef.h>

/* More than these of a list are not set aside: three arenas of the smallest bodies. */
#define MOST_ASIDE 768u

/* Free heads and bodies begin with the address of the next one. */
struct link {
	struct link *next;
};

struct list {
	struct link *first;
	struct link *last;
};

static_assert(offsetof(SV, sv_any) == 0, "free heads are chained by their first word");

static struct list heads;
static struct list bodies[PERL_ARENA_ROOTS_SIZE];

static struct link *empty_one(struct link *root, struct list *aside)
{
	struct link *last = root;
	unsigned int count = 1;

	if (!root || aside->first)
		return root;
	while (last->next && count <= MOST_ASIDE) {
		last = last->next;
		count++;
	}
	if (last->next)
		return root;
	*aside = (struct list){ root, last };
	return NULL;
}

static struct link *return_one(struct link *root, struct list *aside)
{
	struct link *first = aside->first;

	if (!first)
		return root;
	aside->last->next = root;
	*aside = (struct list){ NULL, NULL };
	return first;
}

void ksp_lists_empty(struct interpreter *perl)
{
	perl->Isv_root = (SV *)empty_one((struct link *)perl->Isv_root, &heads);
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		perl->Ibody_roots[i] = empty_one(perl->Ibody_roots[i], &bodies[i]);
}

void ksp_lists_return(struct interpreter *perl)
{
	perl->Isv_root = (SV *)return_one((struct link *)perl->Isv_root, &heads);
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		perl->Ibody_roots[i] = return_one(perl->Ibody_roots[i], &bodies[i]);
}

void ksp_lists_forget(void)
{
	heads = (struct list){ NULL, NULL };
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		bodies[i] = (struct list){ NULL, NULL };
}
