/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compose: a Compose file with the library and a sidecar for each service, and without them again.
 *
 * What it is: for the tree of a file (jansson), as kube is for Kubernetes' documents.
 * What it is not: a check of the file against Compose's schema; it follows neither include, extends nor several files (elsewhere says
 * what those may have that is hidden). What a merge (<<) brings is known.
 *
 * What is added: where the library comes by a volume, that, and a service that fills it and ends, or of a prepared one its name; to each
 * service that is meant the volume, read-only, the same two variables, that it waits for the service that fills, and ipc: shareable; a
 * sidecar for it with its processes and its shared memory; and x-ksmalloc, which the removal reads. The wish's containers are names of
 * services.
 *
 * Invariants: those of kube. Locking and owner: as there.
 * Failure: NULL and a sentence that names the field; nothing is half done.
 */
#ifndef KSR_INJECT_COMPOSE_H
#define KSR_INJECT_COMPOSE_H

#include <jansson.h>

#include "inject/wish.h"

#define KSR_INJECT_COMPOSE_DONE "x-ksmalloc"

json_t *ksr_inject_compose(const json_t *document, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY]);
json_t *ksr_inject_compose_remove(const json_t *document, char why[KSR_INJECT_WHY]);

#endif
