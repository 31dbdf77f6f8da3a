/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolize_cache: answers of the symbolizer, kept on disk.
 *
 * What it is: one small text file per key (a build-id, with more for files that
 * are not trusted) that maps an address to the symbolizer's answer.
 * What it is not: a store that can be relied on. It may vanish at any time.
 * Invariants: a file is replaced as a whole, never edited; one of another
 * version, of another key, that others can write, or that is too large is
 * ignored as if it did not exist. Answers hold no control characters but tabs.
 * Locking and owner: one thread; two writers at once lose the answers of one.
 * Failure: never; without a folder the cache lives in memory only.
 */
#ifndef KSR_SYMBOLIZE_CACHE_H
#define KSR_SYMBOLIZE_CACHE_H

#include "fs.h"

struct ksr_cache;

/* An empty folder means memory only. NULL when there is no memory. */
struct ksr_cache *ksr_cache_create(const char *folder, const char *key);
/* Saves when something was added. */
void ksr_cache_destroy(struct ksr_cache *cache);
/* NULL when it is not known. */
const char *ksr_cache_get(const struct ksr_cache *cache, uint64_t address);
void ksr_cache_put(struct ksr_cache *cache, uint64_t address, const char *answer);
/* The caller's folder for answers; empty when there is none that only the caller controls. */
void ksr_cache_folder(char *folder, size_t bytes);

#endif
