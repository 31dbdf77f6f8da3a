/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * review: what a cluster asks before it makes a pod, and what it is told.
 *
 * What it is: an AdmissionReview (admission.k8s.io/v1) as text, and the answer to it: the pod is allowed, with a patch if its
 * annotation KSR_REVIEW_INJECT is "true". What the patch does is the business of inject/kube.h; other annotations are the wish.
 * What it is not: a guard: no pod is ever refused. Where it cannot have the library, a warning says why, which kubectl shows.
 * Invariants: the answer depends on the text and on the defaults, and on nothing else.
 * Locking and owner: no state; the answer is the caller's.
 * Failure: NULL, and one sentence in why: the text is no such review, or there is no memory.
 */
#ifndef KSR_WEBHOOK_REVIEW_H
#define KSR_WEBHOOK_REVIEW_H

#include "inject/wish.h"

#define KSR_REVIEW_WHY 256

#define KSR_REVIEW_INJECT "ksmalloc/inject"	    /* "true" */
#define KSR_REVIEW_GROUP "ksmalloc/group"	    /* of the workload's name by default */
#define KSR_REVIEW_PROFILE "ksmalloc/profile"	    /* the interpreter, auto by default */
#define KSR_REVIEW_CONTAINERS "ksmalloc/containers" /* names, with commas; all by default */
#define KSR_REVIEW_SIDECAR "ksmalloc/sidecar"	    /* "false": none */
#define KSR_REVIEW_SHARE "ksmalloc/share"	    /* "false": for KSM only */
#define KSR_REVIEW_USER "ksmalloc/user"		    /* the sidecar's number */
#define KSR_REVIEW_TOKEN "ksmalloc/token-secret"    /* of who asks the sidecar; the webhook's own by default */

enum ksr_review_outcome { KSR_REVIEW_LEFT, KSR_REVIEW_INJECTED, KSR_REVIEW_WARNED };

/* Bytes of JSON; outcome says what became of the pod. defaults: the wish of a pod whose annotations say no more. */
char *ksr_review_answer(const char *text, size_t bytes, const struct ksr_inject_wish *defaults,
			enum ksr_review_outcome *outcome, char why[KSR_REVIEW_WHY]);

#endif
