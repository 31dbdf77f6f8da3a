/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kube: a Kubernetes document with the library, its init container and its sidecar, and without them again.
 *
 * What it is: for documents as trees (jansson), wherever they come from: a file of YAML or the request of a webhook.
 * What it is not: a reader or writer of YAML or HTTP; a check of the document against Kubernetes' schemas.
 *
 * What is added to the pod's template: the annotation KSR_INJECT_DONE; a volume, and for an emptyDir an init container that fills it
 * with the library; to each container that is meant the volume, read-only, and two variables (LD_PRELOAD, KSMALLOC_START), its command is
 * not touched; the sidecar, and shareProcessNamespace, unless the wish says no_sidecar. Of a Job or CronJob, and of a pod that
 * is not always started again, the sidecar ends when the others have ended.
 *
 * Invariants: the given tree is not changed. Doing it twice is the same as doing it once with the latter wish, and the removal gives
 * a tree that is equal to the original, order included (json_equal() does not look at that of keys), but for lists and objects
 * that were empty: they are gone. Documents that make no pods, and pods that have been made for another system than Linux, come back
 * equal. Whatever was not put there by this is left as it is.
 * Locking and owner: no state; the caller has the only reference to the result.
 * Failure: NULL, and why is one sentence without a full stop that names the field, such as "spec.template.spec.containers[0].env[2]:
 * ..."; nothing is half done.
 */
#ifndef KSR_INJECT_KUBE_H
#define KSR_INJECT_KUBE_H

#include <jansson.h>

#include "inject/wish.h"

/* Marks a pod's template that has it; what it says is for the removal. */
#define KSR_INJECT_DONE "ksmalloc/injected"
/* For Prometheus (docs/monitoring.md). */
#define KSR_INJECT_SCRAPE "ksmalloc/scrape"

json_t *ksr_inject_kube(const json_t *document, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY]);
json_t *ksr_inject_kube_remove(const json_t *document, char why[KSR_INJECT_WHY]);

/* Whether a pod of the document has a container of this name. */
bool ksr_inject_kube_has(const json_t *document, const char *container);
/* Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, or a List. */
bool ksr_inject_kube_makes_pods(const json_t *document);

#endif
