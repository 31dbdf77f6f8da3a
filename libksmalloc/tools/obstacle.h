/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * obstacle: settings of a unit that the library cannot work with.
 *
 * What it is: one table: a property of systemd's, what it does to us, and what to do. That a unit
 * with the setting is refused is tested with a real service for RootDirectory=, LockPersonality=, DynamicUser=,
 * LimitDATA=, SystemCallFilter= and all rows of paths (tests/install/services), not for the other rows; these follow from what the
 * library asks of the kernel. MemoryDenyWriteExecute=, ProtectProc=, NoNewPrivileges=, PrivateTmp=, ProtectSystem=
 * and SystemCallFilter=@system-service are in nobody's way: the service of that test has them.
 * Of paths that a unit hides or makes read-only, the one that leads furthest to ours counts, as with systemd.
 * What it is not: a reader of units (service.h).
 * Locking and owner: pure.
 * Failure: none; a property that systemd does not know is no obstacle.
 */
#ifndef KSR_OBSTACLE_H
#define KSR_OBSTACLE_H

#include "service.h"

struct ksr_obstacle {
	const char *key;
	const char *what; /* a sentence without its end, after "KEY=VALUE: " */
	const char *advice;
	bool refuses; /* false: the service works, with less */
};

/*
 * The next obstacle from *position on, which begins with 0; NULL at the end. shares: also those of --share. library is its
 * path; with NULL nothing is said of paths.
 */
const struct ksr_obstacle *ksr_obstacle_next(const struct ksr_text *shown, bool shares, const char *library, size_t *position,
					     char *value, size_t bytes);

#endif
