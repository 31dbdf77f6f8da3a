/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_name: which profiles of interpreters there are, for commands that write down a profile for another one to use.
 *
 * What it is not: what a profile does (run/profile.h, which has an entry for each of these names).
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_PROFILE_NAME_H
#define KSR_PROFILE_NAME_H

#include "base.h"

#define KSR_PROFILES 7

/* One of them, or "auto". */
bool ksr_profile_name_is_known(const char *name);
/* The names, for a message: "python, lua, ... or auto". */
const char *ksr_profile_names(void);

#endif
