/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where does the time of ksmd go?
 *
 * ksmd works in turns: a walk that finds a few pages, and their visits. What it
 * does in a turn are stages. To read the clock at each change of stage would
 * take longer than some stages, so one turn in KSM_ACCOUNT_EVERY is timed, and
 * stands for all that came since the last one. A turn in which ksmd left its
 * processor says nothing: the next one is timed in its place.
 *
 * Pure logic: it is told the time, and takes all its state as an argument.
 * Locking: the caller's. In ksm.c, the holder of ksm_thread_mutex changes it, and
 * sysfs reads it as it is.
 */
#ifndef __MM_KSM_ACCOUNT_H
#define __MM_KSM_ACCOUNT_H

#include <linux/compiler.h>
#include <linux/types.h>

/* Not a power of 2, as what repeats itself often repeats itself at those. */
#define KSM_ACCOUNT_EVERY	61

enum ksm_stage {
	KSM_STAGE_WALK,		/* find the next pages, and their rmap_items */
	KSM_STAGE_HASH,		/* take checksums */
	KSM_STAGE_LOOKUP,	/* find pages of the same checksum */
	KSM_STAGE_COMPARE,	/* compare content */
	KSM_STAGE_MERGE,	/* write-protect and replace pages */
	KSM_STAGES
};

/**
 * struct ksm_account - CPU time by stage
 * @stage: what is being done now
 * @timed: this turn is timed
 * @turns: turns since the last one that was timed
 * @since: the time when @stage was entered, in a turn that is timed
 * @turn: the times of this turn
 * @total: the times of all turns, estimated
 */
struct ksm_account {
	enum ksm_stage stage;
	bool timed;
	unsigned int turns;
	u64 since;
	u64 turn[KSM_STAGES];
	u64 total[KSM_STAGES];
};

bool ksm_account_begin(struct ksm_account *account);
void ksm_account_start(struct ksm_account *account, u64 now);
void ksm_account_charge(struct ksm_account *account, u64 now);
void ksm_account_end(struct ksm_account *account, u64 now, bool disturbed);

#endif /* __MM_KSM_ACCOUNT_H */
