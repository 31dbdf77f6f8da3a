/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample: what was measured at one moment.
 *
 * What it is: data, from those that read to those that show: figures of processes and of places, the state of KSM, and
 * what merging and sharing cost.
 * What it is not: kept: the model has the history.
 * Invariants: a process stands in it once; of a process without figures its mark says why. Text is as the processes gave
 * it, and is cleaned when it is shown.
 * Locking and owner: a sample owns its tables; nobody changes it once it was handed on.
 * Failure: none.
 */
#ifndef KSR_TOP_SAMPLE_H
#define KSR_TOP_SAMPLE_H

#include <sys/types.h>

#include "ksmalloc/segment.h"
#include "read/cgroup.h"
#include "read/kernel.h"

#define KSR_TOP_NAME_BYTES 160

/* Bytes. What memory would be needed without merging and sharing is needs + ksm + store. */
struct ksr_figures {
	uint64_t needs; /* Pss, and of the group's store its part */
	uint64_t ksm;   /* saved by merging */
	uint64_t store; /* saved by the group's store */
	uint64_t alone; /* mapped by nobody else */
	uint64_t swap;
};

static inline uint64_t ksr_figures_saved(const struct ksr_figures *figures)
{
	return figures->ksm + figures->store;
}

static inline uint64_t ksr_figures_without(const struct ksr_figures *figures)
{
	return figures->needs + ksr_figures_saved(figures);
}

static inline void ksr_figures_add(struct ksr_figures *sum, const struct ksr_figures *part)
{
	sum->needs += part->needs;
	sum->ksm += part->ksm;
	sum->store += part->store;
	sum->alone += part->alone;
	sum->swap += part->swap;
}

/* What is said of a process beside its figures: X(name, word of a row, sentence about it). */
#define KSR_TOP_MARKS(X)                                                                                               \
	X(NONE, "", "")                                                                                                \
	X(DENIED, "denied", "may not be read by this user")                                                            \
	X(ABSENT, "ended", "has ended, or was never there")                                                                 \
	X(PLAIN, "plain", "does not run under ksmalloc, or is not to be seen (KSMALLOC_STATS)")                        \
	X(DAMAGED, "damaged", "has statistics that are damaged or of another version")                                   \
	X(ASIDE, "aside", "was to share by the store and stands aside; ksmalloc report says why")

#define KSR_TOP_MARK_ID(name, word, sentence) KSR_TOP_##name,
enum ksr_top_mark {
	KSR_TOP_MARKS(KSR_TOP_MARK_ID)
	KSR_TOP_MARK_COUNT,
};

struct ksr_top_process {
	pid_t pid;
	uint64_t start_ticks; /* with the pid: who it is */
	enum ksr_top_mark mark;
	bool measured; /* has figures, which may be older than the sample */
	struct ksr_figures figures;
	char group[KSMALLOC_GROUP_BYTES];
	char container[KSR_CONTAINER_BYTES]; /* empty outside of one */
	char name[KSR_TOP_NAME_BYTES];
};

/* Memory of one name over all processes. */
struct ksr_top_place {
	uint64_t id;
	uint32_t processes;
	struct ksr_figures figures; /* alone is not known of places */
	uint64_t live;		    /* what the program holds there, by marks; 0: no marks tell whose it is */
	uint64_t live_error;	    /* that is right to so many bytes more or less, in 19 of 20 cases */
	char name[KSR_TOP_NAME_BYTES];
};

/* Percentages are of one processor; below 0: not known. */
struct ksr_top_costs {
	double ksmd;
	double pages;  /* that ksmd has looked at, a second */
	double work;   /* milliseconds a second that processes have spent in steps of sharing, all together */
	double keeper; /* of the groups' keepers */
	double own;    /* of this command */
	uint32_t keepers;
	/* Microseconds: of ksmd in all, KSR_NONE without it; of the others since the first sample. */
	uint64_t ksmd_us_total;
	uint64_t keeper_us_total;
	uint64_t work_us_total;
};

struct ksr_top_sample {
	uint64_t at_ms; /* on the machine's clock */
	int64_t time;   /* of day, seconds; 0 for what was recorded */
	struct ksr_top_process *processes;
	size_t process_count;
	struct ksr_top_place *places;
	size_t place_count;
	bool has_places; /* they were asked for */
	uint64_t places_ms; /* when they were read */
	uint64_t oldest_ms; /* when what is oldest of the processes' figures was read */
	uint64_t page_bytes;
	struct ksr_kernel kernel;
	struct ksr_top_costs costs;
	int error; /* nothing could be read at all */
};

const char *ksr_top_mark_word(enum ksr_top_mark mark);
const char *ksr_top_mark_sentence(enum ksr_top_mark mark);
void ksr_top_sample_free(struct ksr_top_sample *sample);

#endif
