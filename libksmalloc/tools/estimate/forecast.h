/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forecast: what each way of saving memory would give.
 *
 * What it is: contents of pages, counted in the ways that matter: as they are, without their addresses (mask.h), and
 * in pieces that are found wherever they lie in a page.
 *
 * What it is not: a measurement of what is not there. Pieces say how much content is equal at any offset, of which large
 * blocks that begin on a page make equal pages, and small blocks do not: that is a bound.
 *
 * Locking and owner: one thread; the tables are the forecast's own.
 *
 * Failure: -ENOMEM at creation only.
 */
#ifndef KSR_ESTIMATE_FORECAST_H
#define KSR_ESTIMATE_FORECAST_H

#include "estimate/contents.h"
#include "estimate/mask.h"

/* X(name, key, what would be done, what is counted at least, and at most) */
#define KSR_WAYS(X)                                                                                \
	X(KSM, "ksm", "KSM as it is (systemd: MemoryKSM=)", "pages that are equal, at any address")        \
	X(PRIVATE, "private", "ksmalloc run",                                                              \
	  "the same; and content that is equal at another offset, as far as it lies in large blocks")      \
	X(SHARED, "shared", "ksmalloc run --layout=shared",                                                \
	  "pages that are equal but for addresses, which are equal then; and such content at another offset")  \
	X(STORE, "store", "ksmalloc run --share, without KSM", "as the line above")                        \
	X(PRELOAD, "preload", "loading before the fork (gunicorn --preload)",                              \
	  "the same, as long as nobody writes to it: reference counts are writes")

enum ksr_way {
#define KSR_WAY_ID(name, key, what, how) KSR_WAY_##name,
	KSR_WAYS(KSR_WAY_ID)
#undef KSR_WAY_ID
		KSR_WAY_COUNT,
};

struct ksr_forecast;

struct ksr_forecast *ksr_forecast_create(uint64_t most_bytes, size_t page_bytes);
void ksr_forecast_destroy(struct ksr_forecast *forecast);
/* A page that is no other mapping of one that was added, of the process of this number. hash is that of its content. */
void ksr_forecast_add(struct ksr_forecast *forecast, struct ksr_mask *mask, const unsigned char *page,
		      XXH128_hash_t hash, uint32_t process);
/* Bytes that a way would save. */
struct ksr_saving {
	uint64_t least;
	uint64_t most;
};

/* Once, last. */
void ksr_forecast_sum(struct ksr_forecast *forecast, uint32_t processes, struct ksr_saving saves[KSR_WAY_COUNT]);

#endif
