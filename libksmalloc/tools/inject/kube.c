/* SPDX-License-Identifier: BSD-2-Clause */
/* Doing it is removing it first and then adding it: so the second time changes nothing. */
#define _GNU_SOURCE
#include "inject/kube.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/kube_parts.h"
#include "inject/tree.h"

/* The words of the annotation: the form of what was added, and what was there before. */
#define FORM	      "1"
#define HAD_PIDS      "had-pids"      /* shareProcessNamespace was true */
#define WITH_SIDECAR  "sidecar"	      /* shareProcessNamespace was set, unless it had been */
#define HAD_SCRAPE    "had-scrape"    /* KSR_INJECT_SCRAPE was set */
#define SECCOMP	      "seccomp="      /* the profile of containers that had none */

/* Where one is in a document, for what is said of it. */
struct work {
	const struct ksr_inject_wish *wish;
	char *why;
	char path[128]; /* of the pod's template */
	char group[64];
	struct ksr_kube_parts parts;
};

static int refuse(const struct work *work, const char *format, ...) KSM_PRINTF(2, 3);

static int refuse(const struct work *work, const char *format, ...)
{
	int used = snprintf(work->why, KSR_INJECT_WHY, "%s", work->path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(work->why + used, (size_t)(KSR_INJECT_WHY - used), format, arguments);
	va_end(arguments);
	return -1;
}

static int out_of_memory(const struct work *work)
{
	snprintf(work->why, KSR_INJECT_WHY, "out of memory");
	return -1;
}

/* --- trees ---------------------------------------------------------------------------- */

/* The member that has to be of this type; NULL with *wrong where it is of another one. Nothing and null are NULL without. */
static json_t *member(const struct work *work, json_t *object, const char *key, json_type type, bool *wrong)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value) || json_typeof(value) == type)
		return json_is_null(value) ? NULL : value;
	*wrong = true;
	refuse(work, ".%s is no %s", key, type == JSON_ARRAY ? "list" : "mapping");
	return NULL;
}

/* The same; made where there is none. NULL: it was said why. */
static json_t *need(const struct work *work, json_t *object, const char *key, json_type type)
{
	bool wrong = false;
	json_t *value = member(work, object, key, type, &wrong);

	if (value || wrong)
		return value;
	value = type == JSON_ARRAY ? json_array() : json_object();
	if (!value || json_object_set_new(object, key, value)) {
		out_of_memory(work);
		return NULL;
	}
	return value;
}

static size_t find(const json_t *list, const char *name)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		if (strcmp(ksr_tree_text(json_array_get(list, i), "name"), name) == 0)
			break;
	}
	return i;
}

static void remove_named(json_t *list, const char *name)
{
	size_t at = find(list, name);

	if (at < json_array_size(list))
		json_array_remove(list, at);
}

static int append(const struct work *work, json_t *object, const char *key, json_t *value)
{
	json_t *list = need(work, object, key, JSON_ARRAY);

	if (!list || !value) {
		json_decref(value);
		return list ? out_of_memory(work) : -1;
	}
	return json_array_append_new(list, value) ? out_of_memory(work) : 0;
}

/* --- containers ------------------------------------------------------------------------ */

static size_t count_named(const json_t *list, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		count += strcmp(ksr_tree_text(json_array_get(list, i), "name"), name) == 0;
	return count;
}

/* What has our names would be taken out with ours, or hide it. */
static int check_container(const struct work *work, const json_t *container)
{
	const char *name = ksr_tree_text(container, "name");
	const json_t *mounts = json_object_get(container, "volumeMounts");
	const json_t *variables = json_object_get(container, "env");
	const json_t *entry = json_array_get(variables, find(variables, "LD_PRELOAD"));

	for (size_t i = 0; i < json_array_size(mounts); i++) {
		const json_t *mounted = json_array_get(mounts, i);

		if (strcmp(ksr_tree_text(mounted, "name"), KSR_INJECT_VOLUME) == 0 ||
		    ksr_inject_is_folder(ksr_tree_text(mounted, "mountPath"), ""))
			return refuse(work, ".spec: container '%s' has a volume '%s' or something at %s; rename it", name, KSR_INJECT_VOLUME,
				      KSR_INJECT_FOLDER);
	}
	if (count_named(variables, KSR_INJECT_OPTIONS))
		return refuse(work, ".spec: container '%s' sets %s itself; take it out", name, KSR_INJECT_OPTIONS);
	if (count_named(variables, "LD_PRELOAD") > 1)
		return refuse(work, ".spec: container '%s' sets LD_PRELOAD twice", name);
	if (entry && !json_object_get(entry, "valueFrom") && !ksr_tree_text(entry, "value")[0])
		return refuse(work, ".spec: container '%s' sets LD_PRELOAD to nothing; take it out", name);
	return 0;
}

/* What somebody else has set stays behind ours. */
static int add_preload(const struct work *work, json_t *container)
{
	const char *name = ksr_tree_text(container, "name");
	bool wrong = false;
	json_t *list = member(work, container, "env", JSON_ARRAY, &wrong);
	json_t *entry = json_array_get(list, find(list, "LD_PRELOAD"));
	char *value;
	int error;

	if (wrong)
		return -1;
	if (entry && json_object_get(entry, "valueFrom"))
		return refuse(work, ".spec: container '%s' has LD_PRELOAD from elsewhere (valueFrom); write its value, or take it out", name);
	value = ksr_inject_preload_add(ksr_tree_text(entry, "value"));
	if (!value)
		return out_of_memory(work);
	if (entry)
		error = json_object_set_new(entry, "value", json_string(value)) ? out_of_memory(work) : 0;
	else
		error = append(work, container, "env", json_pack("{s:s,s:s}", "name", "LD_PRELOAD", "value", value));
	free(value);
	return error;
}

static int add_seccomp(const struct work *work, json_t *container)
{
	json_t *context = need(work, container, "securityContext", JSON_OBJECT);

	if (!context || json_object_get(context, "seccompProfile"))
		return context ? 0 : -1;
	return json_object_set_new(context, "seccompProfile", json_pack("{s:s,s:s}", "type", "Localhost", "localhostProfile",
				   work->wish->seccomp)) ? out_of_memory(work) : 0;
}

static int add_to_container(const struct work *work, json_t *container)
{
	char *options = ksr_inject_wish_options(work->wish, work->group);
	int error = options ? check_container(work, container) : out_of_memory(work);

	if (!error)
		error = add_preload(work, container);
	if (!error)
		error = append(work, container, "env", json_pack("{s:s,s:s}", "name", KSR_INJECT_OPTIONS, "value", options));
	if (!error)
		error = append(work, container, "volumeMounts", ksr_kube_mount());
	if (!error && work->wish->seccomp)
		error = add_seccomp(work, container);
	free(options);
	return error;
}

static void remove_preload(json_t *container)
{
	json_t *list = json_object_get(container, "env");
	size_t at = find(list, "LD_PRELOAD");
	json_t *entry = json_array_get(list, at);
	char *before = entry ? ksr_inject_preload_remove(ksr_tree_text(entry, "value")) : NULL;

	if (before && !before[0] && !json_object_get(entry, "valueFrom"))
		json_array_remove(list, at);
	else if (before && strcmp(before, ksr_tree_text(entry, "value")) != 0)
		json_object_set_new(entry, "value", json_string(before));
	free(before);
}

static void remove_from_container(json_t *container, const char *seccomp)
{
	json_t *context = json_object_get(container, "securityContext");
	json_t *profile = json_object_get(context, "seccompProfile");

	remove_preload(container);
	remove_named(json_object_get(container, "env"), KSR_INJECT_OPTIONS);
	ksr_tree_drop_empty(container, "env");
	remove_named(json_object_get(container, "volumeMounts"), KSR_INJECT_VOLUME);
	ksr_tree_drop_empty(container, "volumeMounts");
	if (seccomp[0] && strcmp(ksr_tree_text(profile, "localhostProfile"), seccomp) == 0) {
		json_object_del(context, "seccompProfile");
		ksr_tree_drop_empty(container, "securityContext");
	}
}

/* --- what is added beside them ------------------------------------------------------------ */

static int add_sidecar(const struct work *work, json_t *spec)
{
	int error;

	if (json_is_true(json_object_get(spec, "hostPID")))
		return refuse(work, ".spec.hostPID is true, so that its containers cannot share processes with each other alone; leave the "
			      "sidecar out (--no-sidecar)");
	/* A port of a pod without a network of its own is the node's, and no two pods with it come to one node. */
	if (json_is_true(json_object_get(spec, "hostNetwork")))
		return refuse(work, ".spec.hostNetwork is true, so that the sidecar's port would be the node's; leave the sidecar out (--no-sidecar)");
	if (json_is_false(json_object_get(spec, "shareProcessNamespace")))
		return refuse(work, ".spec.shareProcessNamespace is false, and a sidecar would see nobody; take that out, or leave the "
			      "sidecar out (--no-sidecar)");
	if (!ksr_kube_has_user(&work->parts, spec))
		return refuse(work, ".spec: runAsNonRoot without runAsUser does not say which user the sidecar has to be; name it (--user), or "
			      "leave the sidecar out (--no-sidecar)");
	error = append(work, spec, "containers", ksr_kube_sidecar(&work->parts, spec));
	if (!error && work->wish->token_secret)
		error = append(work, spec, "volumes", ksr_kube_token(&work->parts));
	if (!error && !json_object_get(spec, "shareProcessNamespace"))
		error = json_object_set_new(spec, "shareProcessNamespace", json_true()) ? out_of_memory(work) : 0;
	return error;
}

static int check_names(const struct work *work, const json_t *spec)
{
	static const char *const switches[] = {"hostPID", "hostNetwork", "shareProcessNamespace"};
	static const char *const lists[] = {"containers", "initContainers", "volumes", "volumes"};
	static const char *const names[] = {KSR_INJECT_SIDECAR, KSR_INJECT_INIT, KSR_INJECT_VOLUME, KSR_INJECT_TOKEN_VOLUME};

	for (size_t i = 0; i < KSM_COUNT_OF(lists); i++) {
		const json_t *list = json_object_get(spec, lists[i]);

		if (list && !json_is_null(list) && !json_is_array(list))
			return refuse(work, ".spec.%s is no list", lists[i]);
		if (find(list, names[i]) < json_array_size(list))
			return refuse(work, ".spec.%s has a '%s' that was not put there by ksmalloc; rename it", lists[i], names[i]);
	}
	/* Some take yes for true. */
	for (size_t i = 0; i < KSM_COUNT_OF(switches); i++) {
		if (json_object_get(spec, switches[i]) && !json_is_boolean(json_object_get(spec, switches[i])))
			return refuse(work, ".spec.%s is neither true nor false", switches[i]);
	}
	return 0;
}

static int add_to_containers(const struct work *work, const json_t *spec)
{
	const json_t *list = json_object_get(spec, "containers");
	size_t meant = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *container = json_array_get(list, i);
		const char *name = ksr_tree_text(container, "name");

		if (!json_is_object(container) || !name[0])
			return refuse(work, ".spec.containers[%zu] has no name", i);
		if (!ksr_inject_wish_means(work->wish, name))
			continue;
		if (add_to_container(work, container))
			return -1;
		meant++;
	}
	return meant ? 0 : refuse(work, ".spec.containers has %s", json_array_size(list) ? "none of the named ones" : "nothing in it");
}

/* --- the pod's template --------------------------------------------------------------------- */

static int annotate(const struct work *work, json_t *template, bool had_pids)
{
	json_t *metadata = need(work, template, "metadata", JSON_OBJECT);
	json_t *annotations = metadata ? need(work, metadata, "annotations", JSON_OBJECT) : NULL;
	const struct ksr_inject_wish *wish = work->wish;
	char text[340];

	if (!annotations)
		return -1;
	snprintf(text, sizeof(text), FORM "%s%s%s%s%s", wish->no_sidecar ? "" : " " WITH_SIDECAR, had_pids ? " " HAD_PIDS : "",
		 json_object_get(annotations, KSR_INJECT_SCRAPE) ? " " HAD_SCRAPE : "", wish->seccomp ? " " SECCOMP : "",
		 wish->seccomp ? wish->seccomp : "");
	if (json_object_set_new(annotations, KSR_INJECT_DONE, json_string(text)))
		return out_of_memory(work);
	if (!wish->no_sidecar && !json_object_get(annotations, KSR_INJECT_SCRAPE))
		json_object_set_new(annotations, KSR_INJECT_SCRAPE, json_string("true"));
	return 0;
}

static int add(const struct work *work, json_t *template)
{
	json_t *spec = json_object_get(template, "spec");
	bool had_pids = json_is_true(json_object_get(spec, "shareProcessNamespace"));
	int error = check_names(work, spec);

	if (!error)
		error = add_to_containers(work, spec);
	if (!error && ksr_inject_wish_way(work->wish) == KSR_INJECT_BY_VOLUME)
		error = append(work, spec, "initContainers", ksr_kube_init(&work->parts, spec));
	if (!error && !work->wish->no_sidecar)
		error = add_sidecar(work, spec);
	if (!error)
		error = append(work, spec, "volumes", ksr_kube_volume(&work->parts));
	return error ? error : annotate(work, template, had_pids);
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		if ((at == text || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	}
	return false;
}

/* Without the annotation nothing of it is ours. */
static void take_out(json_t *template)
{
	json_t *metadata = json_object_get(template, "metadata");
	json_t *annotations = json_object_get(metadata, "annotations");
	json_t *spec = json_object_get(template, "spec");
	const json_t *list = json_object_get(spec, "containers");
	char *said = json_is_string(json_object_get(annotations, KSR_INJECT_DONE)) ?
			     strdup(ksr_tree_text(annotations, KSR_INJECT_DONE)) : NULL;
	const char *seccomp;

	if (!said)
		return;
	seccomp = strstr(said, " " SECCOMP);
	remove_named(json_object_get(spec, "containers"), KSR_INJECT_SIDECAR);
	remove_named(json_object_get(spec, "initContainers"), KSR_INJECT_INIT);
	ksr_tree_drop_empty(spec, "initContainers");
	remove_named(json_object_get(spec, "volumes"), KSR_INJECT_VOLUME);
	remove_named(json_object_get(spec, "volumes"), KSR_INJECT_TOKEN_VOLUME);
	ksr_tree_drop_empty(spec, "volumes");
	for (size_t i = 0; i < json_array_size(list); i++)
		remove_from_container(json_array_get(list, i), seccomp ? seccomp + strlen(" " SECCOMP) : "");
	if (has_word(said, WITH_SIDECAR) && !has_word(said, HAD_PIDS))
		json_object_del(spec, "shareProcessNamespace");
	json_object_del(annotations, KSR_INJECT_DONE);
	if (has_word(said, WITH_SIDECAR) && !has_word(said, HAD_SCRAPE))
		json_object_del(annotations, KSR_INJECT_SCRAPE);
	ksr_tree_drop_empty(metadata, "annotations");
	ksr_tree_drop_empty(template, "metadata");
	free(said);
}

/* --- documents --------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	const char *path[4]; /* to the template, NULL at its end */
	bool ends;
} kinds[] = {
	{"Pod", {NULL}, false},
	{"Deployment", {"spec", "template", NULL}, false},
	{"StatefulSet", {"spec", "template", NULL}, false},
	{"DaemonSet", {"spec", "template", NULL}, false},
	{"ReplicaSet", {"spec", "template", NULL}, false},
	{"ReplicationController", {"spec", "template", NULL}, false},
	{"Job", {"spec", "template", NULL}, true},
	{"CronJob", {"spec", "jobTemplate", "spec", "template"}, true},
};

static size_t kind_of(const json_t *document)
{
	const char *kind = ksr_tree_text(document, "kind");
	size_t i;

	for (i = 0; i < KSM_COUNT_OF(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) == 0 && ksr_tree_text(document, "apiVersion")[0])
			break;
	}
	return i;
}

bool ksr_inject_kube_makes_pods(const json_t *document)
{
	return kind_of(document) < KSM_COUNT_OF(kinds) || strcmp(ksr_tree_text(document, "kind"), "List") == 0;
}

/* NULL where the way breaks off; the path has what there is of it. */
static json_t *template_of(struct work *work, json_t *document, size_t kind)
{
	json_t *at = document;
	size_t used = 0;

	for (size_t i = 0; i < KSM_COUNT_OF(kinds[kind].path) && kinds[kind].path[i]; i++) {
		used += (size_t)snprintf(work->path + used, sizeof(work->path) - used, "%s%s", i ? "." : "", kinds[kind].path[i]);
		at = json_object_get(at, kinds[kind].path[i]);
	}
	if (json_is_object(json_object_get(at, "spec")))
		return at;
	refuse(work, ".spec is missing, which a %s has", kinds[kind].kind);
	return NULL;
}

static void name_group(struct work *work, const json_t *document)
{
	const json_t *metadata = json_object_get(document, "metadata");
	const char *name = ksr_tree_text(metadata, "name");

	ksr_inject_name_group(work->wish->group ? work->wish->group : name[0] ? name : ksr_tree_text(metadata, "generateName"), work->group);
}

static bool is_for_windows(const json_t *spec)
{
	return strcmp(ksr_tree_text(json_object_get(spec, "os"), "name"), "windows") == 0 ||
	       strcmp(ksr_tree_text(json_object_get(spec, "nodeSelector"), "kubernetes.io/os"), "windows") == 0;
}

static bool has_any(const json_t *spec, const struct ksr_inject_wish *wish)
{
	const json_t *list = json_object_get(spec, "containers");

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (ksr_inject_wish_means(wish, ksr_tree_text(json_array_get(list, i), "name")))
			return true;
	}
	return false;
}

static int change(json_t *document, const struct ksr_inject_wish *wish, char *why);

static int change_list(json_t *document, const struct ksr_inject_wish *wish, char *why)
{
	const json_t *items = json_object_get(document, "items");

	for (size_t i = 0; i < json_array_size(items); i++) {
		if (change(json_array_get(items, i), wish, why))
			return -1;
	}
	return 0;
}

static int change(json_t *document, const struct ksr_inject_wish *wish, char *why)
{
	struct work work = {.wish = wish, .why = why};
	size_t kind = kind_of(document);
	json_t *template;

	if (strcmp(ksr_tree_text(document, "kind"), "List") == 0)
		return change_list(document, wish, why);
	if (kind == KSM_COUNT_OF(kinds))
		return 0;
	template = template_of(&work, document, kind);
	if (!template)
		return -1;
	take_out(template);
	if (!wish || is_for_windows(json_object_get(template, "spec")))
		return 0;
	if (wish->others_stay && wish->container_count && !has_any(json_object_get(template, "spec"), wish))
		return 0;
	work.parts = (struct ksr_kube_parts){.wish = wish, .group = work.group, .ends = kinds[kind].ends};
	ksr_kube_look(&work.parts, json_object_get(template, "spec"));
	name_group(&work, document);
	if (!work.group[0])
		return refuse(&work, "metadata.name is missing, after which the group would be named; name it (--group)");
	return add(&work, template);
}

static json_t *changed(const json_t *document, const struct ksr_inject_wish *wish, char *why)
{
	json_t *copy = json_deep_copy(document);

	if (!copy)
		snprintf(why, KSR_INJECT_WHY, "out of memory");
	else if (change(copy, wish, why)) {
		json_decref(copy);
		copy = NULL;
	}
	return copy;
}

json_t *ksr_inject_kube(const json_t *document, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY])
{
	const char *problem = ksr_inject_wish_problem(wish);

	if (problem) {
		snprintf(why, KSR_INJECT_WHY, "%s", problem);
		return NULL;
	}
	return changed(document, wish, why);
}

bool ksr_inject_kube_has(const json_t *document, const char *container)
{
	char unread[KSR_INJECT_WHY];
	struct work work = {.why = unread};
	const struct ksr_inject_wish wish = {.containers = &container, .container_count = 1};
	const json_t *items = json_object_get(document, "items");
	size_t kind = kind_of(document);

	for (size_t i = 0; kind == KSM_COUNT_OF(kinds) && i < json_array_size(items); i++) {
		if (ksr_inject_kube_has(json_array_get(items, i), container))
			return true;
	}
	return kind < KSM_COUNT_OF(kinds) && has_any(json_object_get(template_of(&work, (json_t *)(uintptr_t)document, kind), "spec"), &wish);
}

json_t *ksr_inject_kube_remove(const json_t *document, char why[KSR_INJECT_WHY])
{
	return changed(document, NULL, why);
}
