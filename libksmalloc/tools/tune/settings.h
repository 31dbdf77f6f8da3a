/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings: KSM's settings as they were before, and whose they are.
 *
 * What it is: one owner at a time: locks, and beside them a file with the values to go back to, which outlives an owner
 * that was killed. Others that set the same (ksmtuned, the kernel's own advisor) are recognised.
 * What it is not: a choice of values.
 * Invariants: while the file is there, its values are those from before the first owner.
 * Locking and owner: the locks are held until ksr_settings_release(), or until the process ends.
 * Failure: -errno, with a sentence in why.
 */
#ifndef KSR_TUNE_SETTINGS_H
#define KSR_TUNE_SETTINGS_H

#include "read/fs.h"

/* Room for one sentence that says why they are not ours. */
#define KSR_SETTINGS_WHY 256

struct ksr_settings {
	const struct ksr_fs *fs;
	int lock;  /* of the file beside what is kept */
	int taken; /* of the settings themselves, see owner.h */
};

/* Who else sets them, as a sentence with what to do; NULL: nobody that is known. */
const char *ksr_settings_other(const struct ksr_fs *fs);
/* Has an owner that was killed left values? */
bool ksr_settings_kept(void);
/*
 * -EBUSY where somebody else owns them, -EWOULDBLOCK where another one of ours does, -ENODEV where there is no KSM. Keeps
 * the values, unless an owner that was killed has left some.
 */
int ksr_settings_own(struct ksr_settings *settings, const struct ksr_fs *fs, char why[KSR_SETTINGS_WHY]);
/* Puts back what was kept, and forgets it. *restored is the number of settings. */
int ksr_settings_restore(struct ksr_settings *settings, size_t *restored);
/* They are somebody else's from now on: what was kept is forgotten, and nothing put back. */
void ksr_settings_leave(struct ksr_settings *settings);
void ksr_settings_release(struct ksr_settings *settings);

#endif
