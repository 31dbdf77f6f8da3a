/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/kube_parts.h"

#include <stdio.h>
#include <string.h>

#include "inject/tree.h"

#define VOLUME_LIMIT "64Mi"

/* --- what the pod says --------------------------------------------------------------- */

void ksr_kube_look(struct ksr_kube_parts *parts, const json_t *spec)
{
	const json_t *list = json_object_get(spec, "containers");
	const char *policy = ksr_tree_text(spec, "restartPolicy");

	parts->ends = parts->ends || strcmp(policy, "Never") == 0 || strcmp(policy, "OnFailure") == 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *context = json_object_get(json_array_get(list, i), "securityContext");

		parts->not_root = parts->not_root || json_is_true(json_object_get(context, "runAsNonRoot"));
		parts->profile = parts->profile || json_object_get(context, "seccompProfile");
	}
}

/* Of the first container that names one. */
static const json_t *context_with_user(const struct ksr_kube_parts *parts, const json_t *spec)
{
	const json_t *list = json_object_get(spec, "containers");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *container = json_array_get(list, i);
		const json_t *context = json_object_get(container, "securityContext");

		if (ksr_inject_wish_means(parts->wish, ksr_tree_text(container, "name")) && json_object_get(context, "runAsUser"))
			return context;
	}
	return NULL;
}

bool ksr_kube_has_user(const struct ksr_kube_parts *parts, const json_t *spec)
{
	const json_t *pods = json_object_get(spec, "securityContext");

	return !(parts->not_root || json_is_true(json_object_get(pods, "runAsNonRoot"))) || parts->wish->user ||
	       json_object_get(pods, "runAsUser") || context_with_user(parts, spec);
}

/* --- rights ------------------------------------------------------------------------------ */

static bool is_root(const json_t *user)
{
	return json_is_integer(user) && json_integer_value(user) == 0;
}

static const json_t *user_of(const json_t *pods, const json_t *context)
{
	const json_t *user = json_object_get(context, "runAsUser");

	return user ? user : json_object_get(pods, "runAsUser");
}

static void harden(const struct ksr_kube_parts *parts, const json_t *pods, json_t *context)
{
	if (parts->not_root && !json_object_get(pods, "runAsNonRoot") && !is_root(user_of(pods, context)))
		json_object_set_new(context, "runAsNonRoot", json_true());
	if (parts->profile && !json_object_get(pods, "seccompProfile"))
		json_object_set_new(context, "seccompProfile", json_pack("{s:s}", "type", "RuntimeDefault"));
}

/* Root keeps the rights by which it becomes the user of the workers; any other has none to lose. */
static json_t *sidecar_context(const struct ksr_kube_parts *parts, const json_t *spec)
{
	const json_t *pods = json_object_get(spec, "securityContext");
	const json_t *like = context_with_user(parts, spec);
	json_t *made = json_pack("{s:b, s:b}", "allowPrivilegeEscalation", 0, "readOnlyRootFilesystem", 1);
	const json_t *user;

	if (!made)
		return NULL;
	if (like)
		json_object_set(made, "runAsUser", json_object_get(like, "runAsUser"));
	if (json_object_get(like, "runAsGroup"))
		json_object_set(made, "runAsGroup", json_object_get(like, "runAsGroup"));
	if (parts->wish->user)
		json_object_set_new(made, "runAsUser", json_integer((json_int_t)parts->wish->user));
	user = user_of(pods, made);
	if (user && !is_root(user))
		json_object_set_new(made, "capabilities", json_pack("{s:[s]}", "drop", "ALL"));
	harden(parts, pods, made);
	return made;
}

/* --- containers ------------------------------------------------------------------------- */

json_t *ksr_kube_mount(void)
{
	return json_pack("{s:s,s:s,s:b}", "name", KSR_INJECT_VOLUME, "mountPath", KSR_INJECT_FOLDER, "readOnly", 1);
}

json_t *ksr_kube_volume(const struct ksr_kube_parts *parts)
{
	const struct ksr_inject_wish *wish = parts->wish;
	char name[KSR_INJECT_VOLUME_NAME];

	switch (ksr_inject_wish_way(wish)) {
	case KSR_INJECT_BY_IMAGE:
		return json_pack("{s:s, s:{s:s}}", "name", KSR_INJECT_VOLUME, "image", "reference", ksr_inject_wish_init_image(wish));
	case KSR_INJECT_BY_FOLDER:
		/* On a node where nobody has filled it programs run without the library. */
		return json_pack("{s:s, s:{s:s, s:s}}", "name", KSR_INJECT_VOLUME, "hostPath", "path", wish->from, "type", "DirectoryOrCreate");
	case KSR_INJECT_BY_PREPARED:
		/* What podman kube play takes for the volume of that name, and a cluster for a claim in the namespace. */
		ksr_inject_wish_volume(wish, name);
		return json_pack("{s:s, s:{s:s, s:b}}", "name", KSR_INJECT_VOLUME, "persistentVolumeClaim", "claimName", name, "readOnly", 1);
	default:
		return json_pack("{s:s, s:{s:s}}", "name", KSR_INJECT_VOLUME, "emptyDir", "sizeLimit", VOLUME_LIMIT);
	}
}

/* A namespace without the secret still has its pods made: the workers run, and the exporter waits for the token. */
json_t *ksr_kube_token(const struct ksr_kube_parts *parts)
{
	return json_pack("{s:s, s:{s:s, s:b}}", "name", KSR_INJECT_TOKEN_VOLUME, "secret", "secretName", parts->wish->token_secret,
			 "optional", 1);
}

/* It needs no right. */
json_t *ksr_kube_init(const struct ksr_kube_parts *parts, const json_t *spec)
{
	json_t *made = json_pack("{s:s, s:s, s:[{s:s, s:s}], s:{s:b, s:b, s:{s:[s]}}, s:{s:{s:s, s:s}, s:{s:s}}}", "name",
				 KSR_INJECT_INIT, "image", ksr_inject_wish_init_image(parts->wish), "volumeMounts", "name", KSR_INJECT_VOLUME,
				 "mountPath", KSR_INJECT_FILLED, "securityContext",
				 "allowPrivilegeEscalation", 0, "readOnlyRootFilesystem", 1, "capabilities", "drop", "ALL", "resources",
				 "requests", "cpu", "10m", "memory", "16Mi", "limits", "memory", "64Mi");

	if (made)
		harden(parts, json_object_get(spec, "securityContext"), json_object_get(made, "securityContext"));
	return made;
}

json_t *ksr_kube_sidecar(const struct ksr_kube_parts *parts, const json_t *spec)
{
	char option[80];
	json_t *made;

	snprintf(option, sizeof(option), "--group=%s", parts->group);
	made = json_pack("{s:s, s:s, s:[s], s:[{s:s, s:i}], s:o, s:{s:{s:s, s:s}, s:{s:s}}}", "name", KSR_INJECT_SIDECAR,
			 "image", ksr_inject_wish_sidecar_image(parts->wish), "args", option, "ports", "name", "ksmalloc",
			 "containerPort", KSR_INJECT_PORT, "securityContext", sidecar_context(parts, spec), "resources", "requests",
			 "cpu", "10m", "memory", "16Mi", "limits", "memory", "128Mi");
	if (made && parts->ends)
		json_array_append_new(json_object_get(made, "args"), json_string("--end-with-group"));
	if (made && parts->wish->token_secret) {
		json_array_append_new(json_object_get(made, "args"),
				      json_string("--token-file=" KSR_INJECT_TOKEN_FOLDER "/" KSR_INJECT_TOKEN_KEY));
		json_object_set_new(made, "volumeMounts", json_pack("[{s:s, s:s, s:b}]", "name", KSR_INJECT_TOKEN_VOLUME, "mountPath",
								    KSR_INJECT_TOKEN_FOLDER, "readOnly", 1));
	}
	return made;
}
