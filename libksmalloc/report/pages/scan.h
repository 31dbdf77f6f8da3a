/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan: the memory of two processes, compared page by page.
 *
 * What it is: walks over both processes twice. First all private pages are
 * compared with their counterparts, which is one memcmp for most; then those
 * that differ are looked into. What was found is summed by row, that is by
 * site or region, and by cause.
 *
 * The counterpart of a page is the one at the same place of the same region of
 * the other process: at the same address, where the layouts are equal.
 *
 * What it is not: a picture. It names nothing, and keeps no content.
 *
 * Of a row with very many pages that differ only some stretches are looked into, and its figures
 * are scaled; see KSR_DIFF_LOOK_MOST.
 *
 * Invariants: those of the rows (rows.h).
 *
 * Locking and owner: one thread. The processes go on running: a page that is found equal when it
 * is looked into counts as equal.
 *
 * Failure: -errno.
 */
#ifndef KSR_PAGES_SCAN_H
#define KSR_PAGES_SCAN_H

#include "pages/rows.h"

int ksr_diff_scan(const struct ksr_fs *fs, struct ksr_diff *diff);
/* The same, and looks for places (first.h). */
int ksr_diff_scan_places(const struct ksr_fs *fs, struct ksr_diff *diff);

#endif
