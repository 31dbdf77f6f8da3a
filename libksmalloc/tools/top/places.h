/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places: whose memory it is, by allocation site.
 *
 * What it is: a report of the selection, boiled down to rows, one for each name: sites or, where memory is marked, origins,
 * and what lies outside of them, data file by file. Each name is looked up once.
 * What it is not: cheap: it reads smaps and whole segments, and so is asked for only while somebody looks at it, and the
 * more seldom the longer it takes.
 * Locking and owner: one thread; the rows belong to the sample.
 * Failure: -errno, and no rows.
 */
#ifndef KSR_TOP_PLACES_H
#define KSR_TOP_PLACES_H

#include "join/collect.h"
#include "names/symbols.h"
#include "top/sample.h"

struct ksr_top_places;

/* The naming must live as long as the places. NULL without memory. */
struct ksr_top_places *ksr_top_places_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
					     const struct ksr_naming *naming);
void ksr_top_places_destroy(struct ksr_top_places *places);
/* Puts places into a sample: new ones where it is time, else those of before. */
int ksr_top_places_add(struct ksr_top_places *places, struct ksr_top_sample *sample);

#endif
