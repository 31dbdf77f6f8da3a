/* SPDX-License-Identifier: BSD-2-Clause */
#include "lists.h"

#include "interpreter.h"

#include <stddef.h>

/* More than these of a list are not set aside: three arenas of the smallest bodies. */
#define MOST_ASIDE 768u
/* So many of a list come back together. */
#define MULTIPLE 64u

/* Free heads and bodies begin with the address of the next one. */
struct link {
	struct link *next;
};

struct list {
	struct link *first;
	struct link *last;
	unsigned int count;
};

static_assert(offsetof(SV, sv_any) == 0, "free heads are chained by their first word");

static struct list heads;
static struct list bodies[PERL_ARENA_ROOTS_SIZE];

static struct link *empty_one(struct link *root, struct list *aside)
{
	struct link *last = root;
	unsigned int count = 1;

	if (!root)
		return NULL;
	while (last->next && count < MOST_ASIDE) {
		last = last->next;
		count++;
	}
	if (last->next)
		return root;
	if (aside->first)
		aside->last->next = root;
	else
		aside->first = root;
	aside->last = last;
	aside->count += count;
	return NULL;
}

/*
 * Workers of which one has used one more have lists that differ at their begin. Their ends are equal, and as long, if
 * the length is a multiple of something; else what is put there, and what is left over of it then, would differ
 * each time.
 */
static struct link *return_one(struct link *root, struct list *aside)
{
	unsigned int kept = aside->count % MULTIPLE;
	struct link *before = NULL;
	struct link *first = aside->first;

	if (aside->count < MULTIPLE)
		return root;
	for (unsigned int i = 0; i < kept; i++) {
		before = first;
		first = first->next;
	}
	aside->last->next = root;
	if (before)
		before->next = NULL;
	*aside = (struct list){ before ? aside->first : NULL, before, kept };
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
	heads = (struct list){ NULL, NULL, 0 };
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		bodies[i] = (struct list){ NULL, NULL, 0 };
}
