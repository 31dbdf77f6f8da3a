/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * requests: what is said to a request.
 *
 * What it is: POST /inject with an AdmissionReview as JSON, answered by review.h; POST /inject/standard, the same for namespaces with a
 * standard for pods, which allow no folder of a node: there a container copies the library instead; GET /healthz, and /metrics with how many there were.
 * POST /inject/WORD with any other word is answered as /inject/standard is: while a cluster changes from one release to the next, the
 * configuration of the new one reaches webhooks of both. So no path is ever taken away, and what a release adds below /inject/ has
 * to be such that this is a fitting answer to it.
 * What it is not: a place that knows connections (serve/door.h) or certificates (desk.h).
 * Invariants: an error is a status and a line of text; no request changes anything but counters.
 * Locking and owner: one thread, that of the daemon.
 * Failure: none that is not an answer.
 */
#ifndef KSR_WEBHOOK_REQUESTS_H
#define KSR_WEBHOOK_REQUESTS_H

#include <microhttpd.h>

#include "webhook/bodies.h"
#include "webhook/review.h"

#define KSR_REQUESTS_OUTCOMES 4 /* those of a review, and: refused */

struct ksr_requests {
	const struct ksr_inject_wish *defaults;
	struct ksr_bodies bodies;
	uint64_t counts[KSR_REQUESTS_OUTCOMES];
};

/* For MHD_start_daemon(); user is the struct ksr_requests. */
enum MHD_Result ksr_requests_answer(void *user, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *text, size_t *bytes, void **request);
/* When a request has ended, however. */
void ksr_requests_forget(struct ksr_requests *requests, void **request);

#endif
