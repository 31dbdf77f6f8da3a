/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/bounds.h"

/* The sentence follows "N of M processes ". */
struct bound {
	const char *key;
	uint64_t (*count)(const struct ksmalloc_segment_header *header);
	const char *sentence;
	const char *advice;
};

static uint64_t places_taken(const struct ksmalloc_segment_header *header)
{
	return header->stats.place_taken_total;
}

static uint64_t stretches_full(const struct ksmalloc_segment_header *header)
{
	return header->bounds.stretch_full_total;
}

static uint64_t anchors_dropped(const struct ksmalloc_segment_header *header)
{
	return header->bounds.anchors_dropped_total;
}

static uint64_t forks_beyond(const struct ksmalloc_segment_header *header)
{
	uint64_t forks = header->stats.forks_total;

	return forks > KSMALLOC_FORKS_APART ? forks - KSMALLOC_FORKS_APART : 0;
}

static uint64_t threads_beyond(const struct ksmalloc_segment_header *header)
{
	return header->bounds.threads_beyond_total;
}

static_assert(KSMALLOC_ANCHORS_APART == 4096 && KSMALLOC_FORKS_APART == 2 && KSMALLOC_THREADS_APART == 32,
	      "the sentences below say so");

static const struct bound bounds[] = {
	{"place_taken", places_taken,
	 "found something else at addresses that were to be the same in all of them",
	 "map nothing at fixed addresses, or the same in all workers: what comes after such a place is equal only where the "
	 "same was in the way"},
	{"stretch_full", stretches_full,
	 "have used up the addresses that were set aside for one kind of memory, and go on elsewhere",
	 "have more workers with less memory each, and look in 'ksmalloc report' for who reserves so much: what comes after "
	 "that is equal only where all of them took it in the same order"},
	{"anchor_names", anchors_dropped,
	 "have opened more than 4096 different files, and what came after is not told apart by files any more",
	 "start workers anew now and then (such as gunicorn's --max-requests), or let workers open files of single requests "
	 "in other processes"},
	{"fork_depth", forks_beyond,
	 "are more than two forks away from the program that was started, and go on in their parent's memory",
	 "have the workers forked by the program itself or by a child of it, or have a process in between execute a program"},
	{"threads_beyond", threads_beyond,
	 "have created more than 31 threads besides their first one, and those share memory with earlier ones",
	 "have more processes with fewer threads, and threads that last instead of new ones for each request"},
};

static void check(const struct bound *bound, const struct ksr_workers *members, struct ksr_findings *findings)
{
	size_t concerned = 0;

	for (size_t i = 0; i < members->count; i++) {
		const struct ksr_space *space = &members->list[i].space;

		if (space->has_segment && space->snapshot.header.layout == KSMALLOC_LAYOUT_SHARED)
			concerned += bound->count(&space->snapshot.header) > 0;
	}
	if (concerned)
		ksr_find(findings, KSR_LEVEL_WARN, bound->key, bound->advice,
			 "%zu of %zu processes %s", concerned, members->count, bound->sentence);
}

void ksr_check_bounds(const struct ksr_workers *members, struct ksr_findings *findings)
{
	for (size_t i = 0; i < KSM_COUNT_OF(bounds); i++)
		check(&bounds[i], members, findings);
}
