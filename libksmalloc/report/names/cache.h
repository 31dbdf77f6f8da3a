/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: answers of the symbolizer, kept on disk.
 *
 * What it is: one small text file per key (a build-id, with more for files that
 * are not trusted) that maps an address to the symbolizer's answer. Answers that
 * debug information gave are right for ever; all others, "no name" among them, are
 * right until a place changes in which debug information is searched.
 * What it is not: a store that can be relied on. It may vanish at any time.
 * Invariants: a file is replaced as a whole, never edited; one of another
 * version, of another key, that others can write, or that is too large is
 * ignored as if it did not exist. The folder is the caller's alone, and has 64 MiB and 1024 files at most: then the oldest
 * go. Answers hold no control characters but tabs.
 * Locking and owner: one thread; two writers at once lose the answers of one.
 * Failure: never; without a folder the cache lives in memory only.
 */
#ifndef KSR_NAMES_CACHE_H
#define KSR_NAMES_CACHE_H

#include "read/fs.h"

struct ksr_cache;

/*
 * An empty folder means memory only. places: what ksr_debug_places() says now; passing answers that
 * were saved at another are left out. NULL when there is no memory.
 */
struct ksr_cache *ksr_cache_create(const char *folder, const char *key, uint64_t places);
/* Saves when something was added. */
void ksr_cache_destroy(struct ksr_cache *cache);
/* NULL when it is not known. */
const char *ksr_cache_get(const struct ksr_cache *cache, uint64_t address);
/* whole: debug information gave it. */
void ksr_cache_put(struct ksr_cache *cache, uint64_t address, const char *answer, bool whole);
/*
 * The caller's folder for answers, which need not exist; empty when there can be none that only the
 * caller controls. XDG_CACHE_HOME is made where it is missing.
 */
void ksr_cache_folder(char *folder, size_t bytes);

#endif
