/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader: which processes there are, and a sample of them for a bounded cost.
 *
 * What it is: a table of processes that is kept from sample to sample. New processes are looked at soon, those without a
 * segment ever more seldom; the others are measured in turn, those first whose figures are oldest.
 *
 * What it is not: a thread (watch.h); it knows nothing of terminals.
 *
 * Invariants: but for the first sample, reading takes no more than a fixed share of one processor, however many processes
 * there are and however large: figures become older instead. One process is measured in any case.
 *
 * Locking and owner: one thread. Samples are the caller's.
 *
 * Failure: a process that cannot be read is a row that says so, if it was named or has a segment; else it is none.
 */
#ifndef KSR_TOP_READER_H
#define KSR_TOP_READER_H

#include "join/collect.h"
#include "top/sample.h"

struct ksr_top_reader;

/* The selection must live as long as the reader. whole: all is read in each sample. NULL without memory. */
struct ksr_top_reader *ksr_top_reader_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
					     bool whole);
void ksr_top_reader_destroy(struct ksr_top_reader *reader);
/* after_ms: since the sample before. NULL without memory. */
struct ksr_top_sample *ksr_top_reader_sample(struct ksr_top_reader *reader, uint64_t after_ms);

#endif
