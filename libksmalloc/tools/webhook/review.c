/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "webhook/review.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/kube.h"
#include "webhook/patch.h"

#define VERSION "admission.k8s.io/v1"
#define CONTAINERS_MOST 32
/* A warning of more than 256 letters may be cut by the cluster. */
#define WARNING_BYTES 256

/* What a pod's annotations ask for, with room for what has to be made of them. */
struct asked {
	struct ksr_inject_wish wish;
	const char *containers[CONTAINERS_MOST];
	char names[1024];
	char group[254];
};

/* --- the pod's wish ------------------------------------------------------------------------- */

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool refuse(char *why, const char *key, const char *value, const char *what)
{
	snprintf(why, KSR_INJECT_WHY, "the annotation %s is '%.40s'; %s", key, value, what);
	return false;
}

/* false where it is neither; is stays where there is no such annotation. */
static bool read_switch(const json_t *annotations, const char *key, bool *is, char *why)
{
	const char *value = text_at(annotations, key);

	if (!value)
		return true;
	*is = strcmp(value, "true") == 0;
	return *is || strcmp(value, "false") == 0 || refuse(why, key, value, "give \"true\" or \"false\"");
}

static bool read_containers(const json_t *annotations, struct asked *asked, char *why)
{
	const char *value = text_at(annotations, KSR_REVIEW_CONTAINERS);
	char *rest = asked->names;
	char *name;

	if (!value)
		return true;
	if (strlen(value) >= sizeof(asked->names))
		return refuse(why, KSR_REVIEW_CONTAINERS, value, "it is too long");
	strcpy(asked->names, value);
	while ((name = strsep(&rest, ", "))) {
		if (!*name)
			continue;
		if (asked->wish.container_count == CONTAINERS_MOST)
			return refuse(why, KSR_REVIEW_CONTAINERS, value, "there are too many names");
		asked->containers[asked->wish.container_count++] = name;
	}
	asked->wish.containers = asked->containers;
	return asked->wish.container_count > 0 || refuse(why, KSR_REVIEW_CONTAINERS, value, "give names of containers");
}

static bool read_user(const json_t *annotations, struct asked *asked, char *why)
{
	const char *value = text_at(annotations, KSR_REVIEW_USER);
	size_t digits = value ? strspn(value, "0123456789") : 0;

	if (!value)
		return true;
	asked->wish.user = strtoull(value, NULL, 10);
	return (digits && digits <= 10 && !value[digits] && asked->wish.user && asked->wish.user < UINT32_MAX) ||
	       refuse(why, KSR_REVIEW_USER, value, "give the number of a user, from 1");
}

/*
 * A pod that a Deployment makes is called after its ReplicaSet, which has a number of its own at each change: that is left
 * out, so that the group keeps its name.
 */
static void name_group(const json_t *metadata, struct asked *asked)
{
	const char *generated = text_at(metadata, "generateName");
	const char *hash = text_at(json_object_get(metadata, "labels"), "pod-template-hash");
	char end[sizeof(asked->group)];
	size_t bytes;

	if (!generated || !hash || strlen(generated) >= sizeof(asked->group))
		return;
	bytes = (size_t)snprintf(end, sizeof(end), "-%.200s-", hash);
	if (strlen(generated) <= bytes || strcmp(generated + strlen(generated) - bytes, end) != 0)
		return;
	snprintf(asked->group, sizeof(asked->group), "%.*s", (int)(strlen(generated) - bytes), generated);
	if (strlen(asked->group) <= 63)
		asked->wish.group = asked->group;
}

static bool read_wish(const json_t *metadata, const struct ksr_inject_wish *defaults, struct asked *asked, char *why)
{
	const json_t *annotations = json_object_get(metadata, "annotations");
	bool sidecar = true;
	bool share = true;

	*asked = (struct asked){.wish = *defaults};
	name_group(metadata, asked);
	if (text_at(annotations, KSR_REVIEW_GROUP))
		asked->wish.group = text_at(annotations, KSR_REVIEW_GROUP);
	if (text_at(annotations, KSR_REVIEW_TOKEN))
		asked->wish.token_secret = text_at(annotations, KSR_REVIEW_TOKEN);
	asked->wish.profile = text_at(annotations, KSR_REVIEW_PROFILE);
	if (!read_switch(annotations, KSR_REVIEW_SIDECAR, &sidecar, why) ||
	    !read_switch(annotations, KSR_REVIEW_SHARE, &share, why) || !read_containers(annotations, asked, why) ||
	    !read_user(annotations, asked, why))
		return false;
	asked->wish.no_sidecar = !sidecar;
	asked->wish.no_share = !share;
	return true;
}

/* --- the patch ------------------------------------------------------------------------------- */

/* A tree of the changed pod; NULL: it stays as it is, and why says the reason if it was to have it. */
static json_t *change(const json_t *pod, const struct ksr_inject_wish *defaults, char *why)
{
	const json_t *metadata = json_object_get(pod, "metadata");
	struct asked asked;
	bool wanted = false;

	if (!read_switch(json_object_get(metadata, "annotations"), KSR_REVIEW_INJECT, &wanted, why) || !wanted)
		return NULL;
	return read_wish(metadata, defaults, &asked, why) ? ksr_inject_kube(pod, &asked.wish, why) : NULL;
}

/* Base64 of the patch, as the answer has it. */
static char *encode(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t bytes = strlen(text);
	char *made = malloc((bytes + 2) / 3 * 4 + 1);
	char *to = made;

	for (size_t i = 0; made && i < bytes; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;

		if (i + 1 < bytes)
			bits |= (uint32_t)(unsigned char)text[i + 1] << 8;
		if (i + 2 < bytes)
			bits |= (unsigned char)text[i + 2];
		for (size_t k = 0; k < 4; k++)
			*to++ = i + k > bytes ? '=' : digits[bits >> (18 - 6 * k) & 63];
	}
	if (made)
		*to = '\0';
	return made;
}

static int add_patch(json_t *response, const json_t *before, const json_t *after)
{
	json_t *patch = ksr_patch_make(before, after);
	char *text = patch ? json_dumps(patch, JSON_COMPACT) : NULL;
	char *coded = text ? encode(text) : NULL;
	int error = coded ? 0 : -ENOMEM;

	if (!error && json_array_size(patch) &&
	    (json_object_set_new(response, "patchType", json_string("JSONPatch")) ||
	     json_object_set_new(response, "patch", json_string(coded))))
		error = -ENOMEM;
	free(coded);
	free(text);
	json_decref(patch);
	return error;
}

static int add_warning(json_t *response, const char *why)
{
	char text[WARNING_BYTES];
	size_t end;

	snprintf(text, sizeof(text), "ksmalloc: not injected: %s", why);
	/* What was cut in the middle of a letter is no text any more. */
	for (end = strlen(text); end && !json_object_get(response, "warnings"); end--) {
		text[end] = '\0';
		if (json_object_set_new(response, "warnings", json_pack("[s]", text)))
			json_object_del(response, "warnings");
	}
	return 0;
}

/* --- the review -------------------------------------------------------------------------------- */

/* Is it about a pod that is to be made? */
static bool makes_pod(const json_t *request)
{
	const json_t *kind = json_object_get(request, "kind");
	const char *operation = text_at(request, "operation");
	const char *name = text_at(kind, "kind");
	const char *group = text_at(kind, "group");

	return operation && strcmp(operation, "CREATE") == 0 && name && strcmp(name, "Pod") == 0 && (!group || !*group);
}

static json_t *respond(const json_t *request, const struct ksr_inject_wish *defaults, enum ksr_review_outcome *outcome)
{
	const json_t *pod = json_object_get(request, "object");
	json_t *response = json_pack("{s:s, s:b}", "uid", text_at(request, "uid"), "allowed", 1);
	char why[KSR_INJECT_WHY] = "";
	json_t *changed = response && makes_pod(request) ? change(pod, defaults, why) : NULL;
	int error = response ? 0 : -ENOMEM;

	*outcome = changed ? KSR_REVIEW_INJECTED : why[0] ? KSR_REVIEW_WARNED : KSR_REVIEW_LEFT;
	if (changed)
		error = add_patch(response, pod, changed);
	else if (why[0])
		error = add_warning(response, why);
	json_decref(changed);
	if (!error)
		return response;
	json_decref(response);
	return NULL;
}

/* NULL, or what is wrong with it. */
static const char *problem(const json_t *review)
{
	const json_t *request = json_object_get(review, "request");
	const char *version = text_at(review, "apiVersion");
	const char *kind = text_at(review, "kind");
	const char *uid = text_at(request, "uid");

	if (!kind || strcmp(kind, "AdmissionReview") != 0)
		return "it is no AdmissionReview";
	if (!version || strcmp(version, VERSION) != 0)
		return "its apiVersion is not " VERSION;
	if (!uid || !*uid)
		return "its request has no uid";
	if (makes_pod(request) && !json_is_object(json_object_get(request, "object")))
		return "its request has no object";
	return NULL;
}

char *ksr_review_answer(const char *text, size_t bytes, const struct ksr_inject_wish *defaults,
			enum ksr_review_outcome *outcome, char why[KSR_REVIEW_WHY])
{
	json_error_t error;
	json_t *review = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	const char *wrong = review ? problem(review) : NULL;
	json_t *response = NULL;
	json_t *answer = NULL;
	char *made;

	if (!review)
		snprintf(why, KSR_REVIEW_WHY, "it is no JSON: line %d: %s", error.line, error.text);
	else
		snprintf(why, KSR_REVIEW_WHY, "%s", wrong ? wrong : "out of memory");
	if (review && !wrong)
		response = respond(json_object_get(review, "request"), defaults, outcome);
	if (response)
		answer = json_pack("{s:s, s:s, s:o}", "apiVersion", VERSION, "kind", "AdmissionReview", "response", response);
	made = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	json_decref(review);
	return made;
}
