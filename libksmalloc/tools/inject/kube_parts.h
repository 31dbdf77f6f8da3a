/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kube_parts: the containers and mounts that kube puts into a pod.
 *
 * What it is: the init container and the sidecar, with the user and the rights that fit those of the pod.
 * What it is not: what puts them there, or says why it cannot be (kube).
 * Invariants: a pod that a namespace's standard admits is admitted with them: what its containers say themselves of root and of a
 * seccomp profile, these say too.
 * Locking and owner: no state; the caller has the only reference to a result.
 * Failure: NULL without memory.
 */
#ifndef KSR_INJECT_KUBE_PARTS_H
#define KSR_INJECT_KUBE_PARTS_H

#include <jansson.h>

#include "inject/wish.h"

struct ksr_kube_parts {
	const struct ksr_inject_wish *wish;
	const char *group;
	bool ends;     /* the pod is to end by itself */
	bool not_root; /* containers say so themselves */
	bool profile;  /* the same of a seccomp profile */
};

/* What a pod says of its end and its rights, before anything is added. A Job's pod is known by its policy: a webhook sees no Job. */
void ksr_kube_look(struct ksr_kube_parts *parts, const json_t *spec);
/* false: it may only be another user than root, and nothing says which. */
bool ksr_kube_has_user(const struct ksr_kube_parts *parts, const json_t *spec);
/* What the pod has in common, and where each container that is meant has it. */
json_t *ksr_kube_volume(const struct ksr_kube_parts *parts);
json_t *ksr_kube_mount(void);
/* What the sidecar alone has, of a wish with a token. */
json_t *ksr_kube_token(const struct ksr_kube_parts *parts);
json_t *ksr_kube_init(const struct ksr_kube_parts *parts, const json_t *spec);
json_t *ksr_kube_sidecar(const struct ksr_kube_parts *parts, const json_t *spec);

#endif
