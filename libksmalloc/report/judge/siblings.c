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

/* The members' numbers and those of their parents, each list sorted: whether one is there takes the logarithm of their count. */
struct kin {
	pid_t *pids;
	pid_t *parents;
	size_t count;
};

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left;
	pid_t b = *(const pid_t *)right;

	return a < b ? -1 : a > b;
}

static bool kin_create(const struct ksr_workers *members, struct kin *kin)
{
	*kin = (struct kin){.pids = calloc(2 * members->count + 1, sizeof(*kin->pids)), .count = members->count};
	if (!kin->pids)
		return false;
	kin->parents = kin->pids + kin->count;
	for (size_t i = 0; i < kin->count; i++) {
		kin->pids[i] = members->list[i].pid;
		kin->parents[i] = parent_of(&members->list[i]);
	}
	qsort(kin->pids, kin->count, sizeof(*kin->pids), compare_pids);
	qsort(kin->parents, kin->count, sizeof(*kin->parents), compare_pids);
	return true;
}

static bool has(const pid_t *sorted, size_t count, pid_t pid)
{
	return bsearch(&pid, sorted, count, sizeof(*sorted), compare_pids) != NULL;
}

static bool is_member(const struct kin *kin, pid_t pid)
{
	return has(kin->pids, kin->count, pid);
}

static bool is_master(const struct kin *kin, pid_t pid)
{
	return has(kin->parents, kin->count, pid);
}

struct family {
	pid_t parent;
	size_t count;
	uint64_t memory;
	bool workers; /* not only masters that somebody else has started side by side */
	size_t first; /* of its members, in the order in which they were given */
};

static int compare_families(const void *left, const void *right)
{
	const struct family *a = left;
	const struct family *b = right;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

static bool is_better(const struct family *family, const struct family *best)
{
	if (!family->workers || family->count < 2)
		return false;
	if (family->count != best->count)
		return family->count > best->count;
	if (family->memory != best->memory)
		return family->memory > best->memory;
	return family->first < best->first;
}

/* Of two siblings at least; its count is 0 when there are none. */
static struct family largest_family(const struct ksr_workers *members, const struct kin *kin)
{
	/* Each member is a family first; those of one parent stand together when they are sorted, and are added up. */
	struct family *families = calloc(members->count + 1, sizeof(*families));
	struct family best = {0};
	size_t next;

	if (!families)
		return best;
	for (size_t i = 0; i < members->count; i++) {
		const struct ksr_worker *member = &members->list[i];
		pid_t parent = parent_of(member);

		families[i] = (struct family){.parent = parent, .count = 1, .memory = member->memory, .first = i,
					      .workers = is_member(kin, parent) || !is_master(kin, member->pid)};
	}
	qsort(families, members->count, sizeof(*families), compare_families);
	for (size_t i = 0; i < members->count; i = next) {
		struct family *family = &families[i];

		for (next = i + 1; next < members->count && families[next].parent == family->parent; next++) {
			family->count++;
			family->memory += families[next].memory;
			family->workers = family->workers || families[next].workers;
		}
		if (is_better(family, &best))
			best = *family;
	}
	free(families);
	return best;
}

/* Stays the member, when the family is kept or, without one, those that are nobody's parents? */
static bool stays(const struct kin *kin, const struct family *family, const struct ksr_worker *member)
{
	return family->count ? parent_of(member) == family->parent : !is_master(kin, member->pid);
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
static size_t part(struct ksr_workers *members, const struct kin *kin, const struct family *family)
{
	struct ksr_worker *parted = calloc(members->count, sizeof(*parted));
	size_t kept = 0;
	size_t left = 0;

	if (!parted)
		return members->count;
	for (size_t i = 0; i < members->count; i++)
		kept += stays(kin, family, &members->list[i]);
	for (size_t i = 0, front = 0; i < members->count; i++) {
		bool front_end = stays(kin, family, &members->list[i]);

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

/* Moves those of a kind to the front, and returns how many they are; without memory, all. */
static size_t choose(struct ksr_workers *members, struct family *family)
{
	size_t kept = members->count;
	bool masters = false;
	struct kin kin;

	if (!kin_create(members, &kin))
		return kept;
	for (size_t i = 0; i < members->count && !masters; i++)
		masters = is_member(&kin, parent_of(&members->list[i]));
	if (masters) {
		*family = largest_family(members, &kin);
		kept = part(members, &kin, family);
	}
	free(kin.pids);
	return kept;
}

bool ksr_keep_siblings(struct ksr_workers *members, struct ksr_findings *findings)
{
	struct family family = {0};
	size_t kept = choose(members, &family);

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
