/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whole: a whole report now and then, made by a process of its own.
 *
 * What it is: a child reads all processes as `ksmalloc report` does, and leaves the report as JSON, its page, and
 * what of it goes into metrics and onto the exporter's page. Its memory is gone when it ends, and if a segment is
 * made so that it brings the reader down, it is the child that ends.
 *
 * What it is not: cheap: so it waits KSR_WHOLE_PAUSE times the processor time that the last one took.
 *
 * Invariants: at most one child at a time, and no longer than KSR_WHOLE_SECONDS. What was made before stays until
 * there is something newer.
 *
 * Locking and owner: one thread; the caller must have no other, since it is forked.
 *
 * Failure: counted; what was made before stays.
 */
#ifndef KSR_EXPORTER_WHOLE_H
#define KSR_EXPORTER_WHOLE_H

#include "exporter/document.h"
#include "join/collect.h"

#define KSR_WHOLE_PAUSE 200
#define KSR_WHOLE_SECONDS 30

/* What the child writes. */
enum ksr_whole_part {
	KSR_WHOLE_OPENMETRICS, /* families, without an end */
	KSR_WHOLE_PROMETHEUS,
	KSR_WHOLE_PLACES, /* a list of objects, as JSON */
	KSR_WHOLE_REPORT,
	KSR_WHOLE_FLAME,
	KSR_WHOLE_COUNT,
};

struct ksr_whole {
	const struct ksr_fs *fs;
	const struct ksr_selection *selection;
	uint64_t top; /* places with a row of their own */
	bool resolve; /* names of functions */
	int parts[KSR_WHOLE_COUNT]; /* descriptors, -1 before the first report */
	uint64_t time;	    /* seconds since 1970, 0: none yet */
	uint64_t taken_us;  /* by the last one */
	uint64_t failed;
	uint64_t next_ms; /* when the next one is due, on the machine's clock */
};

void ksr_whole_init(struct ksr_whole *whole);
void ksr_whole_fini(struct ksr_whole *whole);
/* Makes a new one, and waits for it. 0, or -errno: then nothing has changed but the time of the next one. */
int ksr_whole_make(struct ksr_whole *whole, uint64_t now_ms);

#endif
