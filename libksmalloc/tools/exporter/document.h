/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * document: what the exporter answers with, and the way of it from the process that reads to the one that serves.
 *
 * What it is: files in memory, written once and sealed, and handed over with their descriptor.
 * What it is not: their content (live.h, whole.h), or HTTP (answer.h).
 * Invariants: what was handed over never changes, and a reader may rely on its length.
 * Locking and owner: a descriptor belongs to who has made or received it.
 * Failure: -errno; -EPIPE from receiving: the other process has ended.
 */
#ifndef KSR_EXPORTER_DOCUMENT_H
#define KSR_EXPORTER_DOCUMENT_H

#include "read/fs.h"

/* X(id, path, type): one path may have several forms, among which the client chooses. */
#define KSR_DOCUMENTS(X)                                                                                           \
	X(OPENMETRICS, "/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8")                   \
	X(PROMETHEUS, "/metrics", "text/plain; version=0.0.4; charset=utf-8")                                      \
	X(NOW, "/api/now.json", "application/json")                                                                \
	X(REPORT, "/api/report.json", "application/json")                                                          \
	X(FLAME, "/flame", "text/html; charset=utf-8")

enum ksr_document {
#define KSR_DOCUMENT_ID(id, path, type) KSR_DOCUMENT_##id,
	KSR_DOCUMENTS(KSR_DOCUMENT_ID)
#undef KSR_DOCUMENT_ID
		KSR_DOCUMENT_COUNT,
};

/* An empty file in memory. */
int ksr_document_create(void);
/* A stream that writes to it, and leaves the descriptor open; NULL without memory. */
FILE *ksr_document_stream(int fd);
/* All of it; the text is the caller's. */
int ksr_document_read(int fd, struct ksr_text *text);

/* Seals it; the descriptor stays the caller's. */
int ksr_document_send(int socket, enum ksr_document which, int fd);
/* The descriptor becomes the caller's. -EAGAIN where there is nothing to receive. */
int ksr_document_receive(int socket, enum ksr_document *which, int *fd, uint64_t *bytes);

#endif
