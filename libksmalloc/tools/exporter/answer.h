/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: what is said to a request.
 *
 * What it is: the table of paths, the choice among forms, the token, and the headers. Documents are those that were
 * handed over last.
 * What it is not: a reader of anything but the request: GET and HEAD are all there is, and no body is looked at.
 * Invariants: an answer is ready when its request is: nothing is computed for it. All but /healthz needs a Host that
 * is ours, and the token.
 * Locking and owner: one thread, that of the daemon.
 * Failure: a document that was not made yet is 503.
 */
#ifndef KSR_EXPORTER_ANSWER_H
#define KSR_EXPORTER_ANSWER_H

#include <microhttpd.h>

#include "exporter/counters.h"
#include "exporter/document.h"
#include "exporter/host.h"
#include "exporter/token.h"

struct ksr_answers {
	struct ksr_token token;
	const struct ksr_hosts *hosts;
	struct ksr_exporter_counters *counters;
	uint64_t interval_ms;
	struct MHD_Response *documents[KSR_DOCUMENT_COUNT];
	uint64_t made_ms[KSR_DOCUMENT_COUNT]; /* on the machine's clock */
};

/* The token is copied. */
void ksr_answers_init(struct ksr_answers *answers, const struct ksr_token *token, const struct ksr_hosts *hosts,
		      struct ksr_exporter_counters *counters, uint64_t interval_ms);
void ksr_answers_fini(struct ksr_answers *answers);
/* Takes the descriptor over. */
int ksr_answers_take(struct ksr_answers *answers, enum ksr_document which, int fd, uint64_t bytes);
/* For MHD_start_daemon(); user is the struct ksr_answers. */
enum MHD_Result ksr_answer(void *user, struct MHD_Connection *connection, const char *url, const char *method,
			   const char *version, const char *body, size_t *body_bytes, void **request);

#endif
