// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where does the time of ksmd go? See ksm_account.h.
 */

#include <linux/string.h>

#include "ksm_account.h"

/**
 * ksm_account_begin - a turn begins
 * @account: the account
 *
 * Return: true if it is to be timed: then ksm_account_start() is next.
 */
bool ksm_account_begin(struct ksm_account *account)
{
	account->stage = KSM_STAGE_WALK;
	return ++account->turns >= KSM_ACCOUNT_EVERY;
}

/**
 * ksm_account_start - start the clock of a turn
 * @account: the account
 * @now: the time, in nanoseconds
 */
void ksm_account_start(struct ksm_account *account, u64 now)
{
	memset(account->turn, 0, sizeof(account->turn));
	account->since = now;
	account->timed = true;
}

/**
 * ksm_account_charge - a stage ends, in a turn that is timed
 * @account: the account
 * @now: the time, in nanoseconds
 */
void ksm_account_charge(struct ksm_account *account, u64 now)
{
	/* Clocks of two processors may differ a little. */
	if (now > account->since)
		account->turn[account->stage] += now - account->since;
	account->since = now;
}

/**
 * ksm_account_end - a turn that is timed ends
 * @account: the account
 * @now: the time, in nanoseconds
 * @disturbed: something else had the processor meanwhile
 */
void ksm_account_end(struct ksm_account *account, u64 now, bool disturbed)
{
	int i;

	ksm_account_charge(account, now);
	account->timed = false;
	if (disturbed)
		return;
	for (i = 0; i < KSM_STAGES; i++)
		account->total[i] += account->turn[i] * account->turns;
	account->turns = 0;
}
