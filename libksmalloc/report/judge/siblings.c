/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A master that forks workers has a heap of its own kind, however equal the
 * workers are: siblings are compared with each other. Where nobody is anybody's
 * parent, as with workers that were started one by one, all are of a kind.
 */
#define _GNU_SOURCE
#include "judge/siblings.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MOST 8

static pid_t parent_of(const struct ksr_worker *member)
{
	return member->space.status.parent;
}

static bool has_member(const struct ksr_workers *members, pid_t pid)
{
	for (size_t i = 0; i < members->count; i++) {
		if (members->list[i].pid == pid)
			return true;
	}
	return false;
}

static bool is_master(const struct ksr_workers *members, pid_t pid)
{
	for (size_t i = 0; i < members->count; i++) {
		if (parent_of(&members->list[i]) == pid)
			return true;
	}
	return false;
}

struct family {
	pid_t parent;
	size_t count;
	uint64_t memory;
	bool workers; /* not only masters that somebody else has started side by side */
};

static struct family family_of(const struct ksr_workers *members, pid_t parent)
{
	struct family family = {.parent = parent, .workers = has_member(members, parent)};

	for (size_t i = 0; i < members->count; i++) {
		const struct ksr_worker *member = &members->list[i];

		if (parent_of(member) != parent)
			continue;
		family.count++;
		family.memory += member->memory;
		family.workers = family.workers || !is_master(members, member->pid);
	}
	return family;
}

/* Of two siblings at least; its count is 0 when there are none. */
static struct family largest_family(const struct ksr_workers *members)
{
	struct family best = {0};

	for (size_t i = 0; i < members->count; i++) {
		struct family family = family_of(members, parent_of(&members->list[i]));

		if (family.workers && family.count >= 2 &&
		    (family.count > best.count ||
		     (family.count == best.count && family.memory > best.memory)))
			best = family;
	}
	return best;
}

/* Stays the member, when the family is kept or, without one, those that are nobody's parents? */
static bool stays(const struct ksr_workers *members, const struct family *family,
		  const struct ksr_worker *member)
{
	return family->count ? parent_of(member) == family->parent
			     : !is_master(members, member->pid);
}

/* The larger first; what is equally large by age. */
static int compare_members(const void *left, const void *right)
{
	const struct ksr_worker *a = left;
	const struct ksr_worker *b = right;

	if (a->memory != b->memory)
		return a->memory > b->memory ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/* Moves those that stay to the front, and returns how many they are. */
static size_t part(struct ksr_workers *members, const struct family *family)
{
	struct ksr_worker *parted = calloc(members->count, sizeof(*parted));
	size_t kept = 0;
	size_t left = 0;

	if (!parted)
		return members->count;
	for (size_t i = 0; i < members->count; i++)
		kept += stays(members, family, &members->list[i]);
	for (size_t i = 0, front = 0; i < members->count; i++) {
		bool front_end = stays(members, family, &members->list[i]);

		parted[front_end ? front++ : kept + left++] = members->list[i];
	}
	memcpy(members->list, parted, members->count * sizeof(*parted));
	free(parted);
	return kept;
}

static void name_left_out(const struct ksr_workers *members, const struct family *family,
			  char *text, size_t bytes)
{
	size_t used = 0;
	size_t count = members->count - 2;

	text[0] = '\0';
	for (size_t i = 0; i < count && i < NAMED_MOST && used < bytes; i++) {
		/* From the end: those of another kind stand behind the siblings. */
		const struct ksr_worker *member = &members->list[members->count - 1 - i];
		bool parent = family->count && member->pid == family->parent;

		used += (size_t)snprintf(text + used, bytes - used, "%s%d%s", i ? ", " : "",
					 (int)member->pid, parent ? " (their parent)" : "");
	}
	if (count > NAMED_MOST && used < bytes)
		snprintf(text + used, bytes - used, " and %zu more", count - NAMED_MOST);
}

static void tell(const struct ksr_workers *members, size_t kept, const struct family *family,
		 struct ksr_findings *findings)
{
	char left_out[256];
	char kind[64] = "processes";

	name_left_out(members, family, left_out, sizeof(left_out));
	if (family->count)
		snprintf(kind, sizeof(kind), "children of process %d", (int)family->parent);
	ksr_find(findings, KSR_LEVEL_OK, "siblings", "",
		 "the memory of processes %d and %d, the largest two of %zu %s, is compared; left "
		 "out: %s",
		 (int)members->list[0].pid, (int)members->list[1].pid, kept, kind, left_out);
}

bool ksr_keep_siblings(struct ksr_workers *members, struct ksr_findings *findings)
{
	struct family family = {0};
	size_t kept = members->count;
	bool masters = false;

	for (size_t i = 0; i < members->count; i++)
		masters = masters || has_member(members, parent_of(&members->list[i]));
	if (masters) {
		family = largest_family(members);
		kept = part(members, &family);
	}
	if (kept < 2) {
		ksr_find(findings, KSR_LEVEL_WARN, "siblings",
			 "start a second worker, so that two of a kind are compared",
			 "one of the processes has forked the other: what a master has beyond its "
			 "worker differs by design");
		return false;
	}
	if (members->count <= 2)
		return members->count == 2;
	qsort(members->list, kept, sizeof(*members->list), compare_members);
	tell(members, kept, &family, findings);
	while (members->count > kept)
		ksr_worker_free(&members->list[--members->count]);
	return true;
}
