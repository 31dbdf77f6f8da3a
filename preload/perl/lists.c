/* SPDX-License-Identifier: BSD-2-Clause */
#include "lists.h"

#include "interpreter.h"

#include <stddef.h>
#include <stdint.h>

/* A list of as many as eight arenas of heads is long. */
#define MOST_SHORT 1360u
/* The place where a long one goes on comes after so many, and is one in 2^7: it is hardly ever not found. */
#define CUT_FROM 256u
#define CUT_SHIFT 57
/* So many that were set aside come back together. */
#define MULTIPLE 256u

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

static bool is_cut(const struct link *link)
{
	return (uintptr_t)link * UINT64_C(0x9e3779b97f4a7c15) >> CUT_SHIFT == 0;
}

static void append(struct list *list, struct link *first, struct link *last, unsigned int count)
{
	last->next = NULL;
	if (list->first)
		list->last->next = first;
	else
		list->first = first;
	list->last = last;
	list->count += count;
}

/*
 * Sets a short list aside. Of a long one the begin, up to a place that is chosen by its address: it is in the list of a
 * worker that has used one more, too. Returns what is left.
 */
static struct link *take(struct link *root, struct list *aside)
{
	struct link *last = root;
	struct link *cut = NULL;
	unsigned int count = 1;
	unsigned int cut_count = 0;
	struct link *rest;

	if (!root)
		return NULL;
	for (; last->next && count < MOST_SHORT; last = last->next, count++) {
		if (!cut && count >= CUT_FROM && is_cut(last->next)) {
			cut = last;
			cut_count = count;
		}
	}
	if (!last->next) {
		append(aside, root, last, count);
		return NULL;
	}
	if (!cut)
		return root;
	rest = cut->next;
	append(aside, root, cut, cut_count);
	return rest;
}

/*
 * Puts in front of a list what was set aside. Workers of which one has used one more have lists that differ at their
 * begin. Their ends are equal, and as long, if the length is a multiple of something.
 */
static struct link *give_back(struct link *root, struct list *aside)
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

static void take_all(struct interpreter *perl)
{
	perl->Isv_root = (SV *)take((struct link *)perl->Isv_root, &heads);
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		perl->Ibody_roots[i] = take(perl->Ibody_roots[i], &bodies[i]);
}

void ksp_lists_renew(struct interpreter *perl, bool with_aside)
{
	take_all(perl);
	if (!with_aside)
		return;
	perl->Isv_root = (SV *)give_back((struct link *)perl->Isv_root, &heads);
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		perl->Ibody_roots[i] = give_back(perl->Ibody_roots[i], &bodies[i]);
}

void ksp_lists_leave(struct interpreter *perl)
{
	const struct list none = { NULL, NULL, 0 };

	take_all(perl);
	heads = none;
	for (size_t i = 0; i < PERL_ARENA_ROOTS_SIZE; i++)
		bodies[i] = none;
}
