/* SPDX-License-Identifier: BSD-2-Clause */
/* As in kube, doing it is removing it and adding it. */
#define _GNU_SOURCE
#include "inject/compose.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/tree.h"

#define MOUNTED	    ":" KSR_INJECT_FOLDER ":ro"
#define NAMES_BYTES 300

struct work {
	const struct ksr_inject_wish *wish;
	char *why;
};

/* What the removal has to know of a service. */
#define NOTE_IPC  "ipc"	       /* it had none */
#define NOTE_LIST "depends_on" /* it was a list */

static int refuse(const struct work *work, const char *format, ...) KSM_PRINTF(2, 3);

static int refuse(const struct work *work, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(work->why, KSR_INJECT_WHY, format, arguments);
	va_end(arguments);
	return -1;
}

static int out_of_memory(const struct work *work)
{
	return refuse(work, "out of memory");
}

static int set_new(const struct work *work, json_t *object, const char *key, json_t *value)
{
	return value && !json_object_set_new(object, key, value) ? 0 : out_of_memory(work);
}

/* --- environment, as a mapping or as a list of NAME=VALUE ---------------------------------- */

static size_t find_variable(const json_t *list, const char *name)
{
	size_t length = strlen(name);
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text && strncmp(text, name, length) == 0 && (text[length] == '=' || !text[length]))
			break;
	}
	return i;
}

/* NULL: it is not set. With *wrong it is, by a value that is not here, or that a merge brings, which one here would hide. */
static const char *get_variable(const json_t *environment, const char *name, bool *wrong)
{
	const json_t *entry = json_is_array(environment) ? json_array_get(environment, find_variable(environment, name)) :
							   json_object_get(environment, name);
	const char *text = json_string_value(entry);

	if (text && json_is_array(environment))
		text = text[strlen(name)] == '=' ? text + strlen(name) + 1 : NULL;
	*wrong = entry ? !text || strchr(text, '$') : ksr_tree_merged(environment, name) != NULL;
	return text;
}

static int set_variable(const struct work *work, json_t *environment, const char *name, const char *value)
{
	char *text = NULL;
	size_t at;
	int error;

	if (json_is_object(environment))
		return set_new(work, environment, name, json_string(value));
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return out_of_memory(work);
	at = find_variable(environment, name);
	error = at < json_array_size(environment) ? json_array_set_new(environment, at, json_string(text)) :
						    json_array_append_new(environment, json_string(text));
	free(text);
	return error ? out_of_memory(work) : 0;
}

static void delete_variable(json_t *environment, const char *name)
{
	if (json_is_object(environment))
		json_object_del(environment, name);
	else if (find_variable(environment, name) < json_array_size(environment))
		json_array_remove(environment, find_variable(environment, name));
}

/* --- adding to a service ----------------------------------------------------------------------- */

/* What a merge brings would be hidden by a value of the service's own. */
static json_t *need(const struct work *work, json_t *service, const char *name, const char *key, json_t *made)
{
	json_t *value = json_object_get(service, key);

	if (value && !json_is_null(value)) {
		json_decref(made);
		return value;
	}
	if (!value && ksr_tree_merged(service, key)) {
		json_decref(made);
		refuse(work, "services.%s has its %s by a merge (<<); write it out in the service", name, key);
		return NULL;
	}
	if (set_new(work, service, key, made))
		return NULL;
	return made;
}

static int add_environment(const struct work *work, json_t *service, const char *name, const char *group)
{
	json_t *environment = need(work, service, name, "environment", json_object());
	const char *old;
	char *options;
	char *preload;
	bool wrong;
	int error;

	if (!environment)
		return -1;
	if (!json_is_object(environment) && !json_is_array(environment))
		return refuse(work, "services.%s.environment is neither a mapping nor a list", name);
	old = get_variable(environment, "LD_PRELOAD", &wrong);
	if (wrong)
		return refuse(work, "services.%s.environment has an LD_PRELOAD whose value is elsewhere; write it out, or take it out", name);
	if (old && !old[0])
		return refuse(work, "services.%s.environment sets LD_PRELOAD to nothing; take it out", name);
	if (get_variable(environment, KSR_INJECT_OPTIONS, &wrong) || wrong)
		return refuse(work, "services.%s.environment sets " KSR_INJECT_OPTIONS " itself; take it out", name);
	options = ksr_inject_wish_options(work->wish, group);
	preload = ksr_inject_preload_add(old);
	error = !options || !preload ? out_of_memory(work) : set_variable(work, environment, "LD_PRELOAD", preload);
	if (!error)
		error = set_variable(work, environment, KSR_INJECT_OPTIONS, options);
	free(options);
	free(preload);
	return error;
}

/* Whether the entry, in either form, is what lies at our folder. */
static bool is_at_folder(const json_t *entry)
{
	const char *text = json_string_value(entry);

	return text ? ksr_inject_mounts_folder(text, "") : ksr_inject_is_folder(ksr_tree_text(entry, "target"), "");
}

static json_t *make_volume(const struct ksr_inject_wish *wish)
{
	switch (ksr_inject_wish_way(wish)) {
	case KSR_INJECT_BY_IMAGE:
		return json_pack("{s:s, s:s, s:s}", "type", "image", "source", ksr_inject_wish_init_image(wish), "target", KSR_INJECT_FOLDER);
	case KSR_INJECT_BY_FOLDER:
		return json_sprintf("%s" MOUNTED, wish->from);
	default:
		return json_string(KSR_INJECT_VOLUME MOUNTED);
	}
}

/* What is at our folder is the user's, and would be taken out with ours. */
static int add_volume(const struct work *work, json_t *service, const char *name)
{
	json_t *volumes = need(work, service, name, "volumes", json_array());

	if (!volumes)
		return -1;
	if (!json_is_array(volumes))
		return refuse(work, "services.%s.volumes is no list", name);
	for (size_t i = 0; i < json_array_size(volumes); i++) {
		if (is_at_folder(json_array_get(volumes, i)))
			return refuse(work, "services.%s.volumes has something at " KSR_INJECT_FOLDER "; rename it", name);
	}
	return json_array_append_new(volumes, make_volume(work->wish)) ? out_of_memory(work) : 0;
}

static int add_dependency(const struct work *work, json_t *service, const char *name, json_t *note)
{
	json_t *list = need(work, service, name, "depends_on", json_object());
	json_t *mapping = list;

	if (!list)
		return -1;
	if (json_is_array(list)) {
		mapping = json_object();
		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *other = json_string_value(json_array_get(list, i));

			if (!other || set_new(work, mapping, other, json_pack("{s:s}", "condition", "service_started")))
				return refuse(work, "services.%s.depends_on[%zu] is no name", name, i);
		}
		if (set_new(work, service, "depends_on", mapping) || set_new(work, note, NOTE_LIST, json_string("list")))
			return -1;
	}
	if (!json_is_object(mapping))
		return refuse(work, "services.%s.depends_on is neither a mapping nor a list", name);
	return set_new(work, mapping, KSR_INJECT_INIT, json_pack("{s:s}", "condition", "service_completed_successfully"));
}

static int add_ipc(const struct work *work, json_t *service, const char *name, json_t *note)
{
	const char *ipc = json_string_value(ksr_tree_merged(service, "ipc"));

	if (ipc && strcmp(ipc, "shareable") != 0)
		return refuse(work, "services.%s.ipc is '%s', so that a sidecar cannot share memory with it; leave the sidecar out (--no-sidecar)",
			      name, ipc);
	if (ipc)
		return 0;
	if (ksr_tree_merged(service, "pid"))
		return refuse(work, "services.%s has a pid of others, where a sidecar cannot tell its processes; leave the sidecar out "
			      "(--no-sidecar)", name);
	return set_new(work, service, "ipc", json_string("shareable")) ? -1 : set_new(work, note, NOTE_IPC, json_string("none"));
}

/* In the sidecar's image no user has a name: as root it becomes the one whose the workers are. */
static json_t *numbered_user(const json_t *service)
{
	json_t *user = ksr_tree_merged(service, "user");
	const char *text = json_string_value(user);

	return json_is_integer(user) || (text && text[0] && strspn(text, "0123456789:") == strlen(text)) ? user : NULL;
}

static int add_sidecar(const struct work *work, json_t *services, const json_t *service, const char *name, const char *group)
{
	char sidecar[NAMES_BYTES];
	char of[NAMES_BYTES];
	char option[80];
	json_t *made;

	snprintf(sidecar, sizeof(sidecar), KSR_INJECT_SIDECAR "-%s", name);
	snprintf(of, sizeof(of), "service:%s", name);
	snprintf(option, sizeof(option), "--group=%s", group);
	if (json_object_get(services, sidecar))
		return refuse(work, "services has a '%s' that was not put there by ksmalloc; rename it", sidecar);
	made = json_pack("{s:s, s:[s], s:s, s:s, s:b, s:s}", "image", ksr_inject_wish_sidecar_image(work->wish), "command", option, "pid",
			 of, "ipc", of, "read_only", 1, "restart", "unless-stopped");
	if (made && work->wish->user)
		json_object_set_new(made, "user", json_sprintf("%llu", (unsigned long long)work->wish->user));
	else if (made && numbered_user(service))
		json_object_set(made, "user", numbered_user(service));
	/* A service that is not always there has a sidecar that is not, either. */
	if (made && ksr_tree_merged(service, "profiles"))
		json_object_set(made, "profiles", ksr_tree_merged(service, "profiles"));
	return set_new(work, services, sidecar, made);
}

static int add_to_service(const struct work *work, json_t *services, json_t *notes, const char *name)
{
	json_t *service = json_object_get(services, name);
	json_t *note = json_object();
	char group[64];

	if (set_new(work, notes, name, note))
		return -1;
	if (!json_is_object(service))
		return refuse(work, "services.%s is no mapping", name);
	ksr_inject_name_group(work->wish->group ? work->wish->group : name, group);
	if (add_environment(work, service, name, group))
		return -1;
	if (add_volume(work, service, name))
		return -1;
	if (ksr_inject_wish_way(work->wish) == KSR_INJECT_BY_VOLUME && add_dependency(work, service, name, note))
		return -1;
	if (work->wish->token_secret)
		return refuse(work, "a secret with the token (--token-secret) is Kubernetes'; give services.%s's sidecar --token-file yourself", name);
	if (work->wish->seccomp)
		return refuse(work, "a seccomp profile of a node (--seccomp) is Kubernetes'; name it in services.%s.security_opt", name);
	if (work->wish->no_sidecar)
		return 0;
	return add_ipc(work, service, name, note) ? -1 : add_sidecar(work, services, service, name, group);
}

/* --- the file ------------------------------------------------------------------------------------- */

static int add_to_services(const struct work *work, json_t *services, json_t *notes)
{
	size_t meant = 0;
	void *at;

	/* Sidecars are added meanwhile; they are not meant. */
	for (at = json_object_iter(services); at; at = json_object_iter_next(services, at)) {
		const char *name = json_object_iter_key(at);

		if (strncmp(name, KSR_INJECT_SIDECAR "-", strlen(KSR_INJECT_SIDECAR "-")) == 0 || !ksr_inject_wish_means(work->wish, name))
			continue;
		if (strlen(name) > 200)
			return refuse(work, "services has a name of more than 200 letters");
		if (json_object_set_new(notes, name, json_null()))
			return out_of_memory(work);
		meant++;
	}
	if (!meant)
		return refuse(work, "services has %s", json_object_size(services) ? "none of the named ones" : "nothing in it");
	for (at = json_object_iter(notes); at; at = json_object_iter_next(notes, at)) {
		if (add_to_service(work, services, notes, json_object_iter_key(at)))
			return -1;
	}
	return 0;
}

/* The service that fills the volume before the others start. */
static int add_filling(const struct work *work, json_t *services)
{
	return set_new(work, services, KSR_INJECT_INIT,
		       json_pack("{s:s, s:[s], s:s}", "image", ksr_inject_wish_init_image(work->wish), "volumes",
				 KSR_INJECT_VOLUME ":" KSR_INJECT_FILLED, "network_mode", "none"));
}

/* One that is prepared is nobody's file's: it is neither made nor removed with this one. */
static int add_declaration(const struct work *work, json_t *document, bool prepared)
{
	json_t *volumes = json_object_get(document, "volumes");
	char name[KSR_INJECT_VOLUME_NAME];

	ksr_inject_wish_volume(work->wish, name);
	if (!json_is_object(volumes) && set_new(work, document, "volumes", volumes = json_object()))
		return -1;
	return set_new(work, volumes, KSR_INJECT_VOLUME,
		       prepared ? json_pack("{s:b, s:s}", "external", 1, "name", name) : json_object());
}

static int check_names(const struct work *work, const json_t *document, const json_t *services)
{
	if (json_object_get(document, KSR_INJECT_COMPOSE_DONE))
		return refuse(work, "the file has an " KSR_INJECT_COMPOSE_DONE " that was not put there by ksmalloc; rename it");
	if (json_object_get(services, KSR_INJECT_INIT) || json_object_get(json_object_get(document, "volumes"), KSR_INJECT_VOLUME))
		return refuse(work, "the file has a '%s' that was not put there by ksmalloc; rename it",
			      json_object_get(services, KSR_INJECT_INIT) ? KSR_INJECT_INIT : KSR_INJECT_VOLUME);
	return 0;
}

static int add(const struct work *work, json_t *document)
{
	json_t *services = json_object_get(document, "services");
	enum ksr_inject_way way = ksr_inject_wish_way(work->wish);
	json_t *notes;
	int error = check_names(work, document, services);

	if (error)
		return error;
	notes = json_object();
	error = notes ? add_to_services(work, services, notes) : out_of_memory(work);
	if (!error && way == KSR_INJECT_BY_VOLUME)
		error = add_filling(work, services);
	if (!error && (way == KSR_INJECT_BY_VOLUME || way == KSR_INJECT_BY_PREPARED))
		error = add_declaration(work, document, way == KSR_INJECT_BY_PREPARED);
	if (!error)
		error = set_new(work, document, KSR_INJECT_COMPOSE_DONE, json_pack("{s:s, s:O}", "form", "1", "services", notes));
	json_decref(notes);
	return error;
}

static void take_out_of_service(json_t *service, const json_t *note)
{
	json_t *environment = json_object_get(service, "environment");
	json_t *volumes = json_object_get(service, "volumes");
	json_t *depends = json_object_get(service, "depends_on");
	char unread[KSR_INJECT_WHY];
	const struct work nobody = {.why = unread};
	bool wrong;
	const char *now = get_variable(environment, "LD_PRELOAD", &wrong);
	char *before = now && !wrong ? ksr_inject_preload_remove(now) : NULL;

	if (before && !before[0])
		delete_variable(environment, "LD_PRELOAD");
	else if (before && strcmp(before, now) != 0)
		(void)set_variable(&nobody, environment, "LD_PRELOAD", before);
	free(before);
	delete_variable(environment, KSR_INJECT_OPTIONS);
	ksr_tree_drop_empty(service, "environment");
	for (size_t i = 0; i < json_array_size(volumes); i++) {
		if (is_at_folder(json_array_get(volumes, i)))
			json_array_remove(volumes, i--);
	}
	ksr_tree_drop_empty(service, "volumes");
	json_object_del(depends, KSR_INJECT_INIT);
	if (json_object_get(note, NOTE_LIST)) {
		json_t *list = json_array();

		for (void *at = json_object_iter(depends); list && at; at = json_object_iter_next(depends, at))
			json_array_append_new(list, json_string(json_object_iter_key(at)));
		json_object_set_new(service, "depends_on", list);
	} else {
		ksr_tree_drop_empty(service, "depends_on");
	}
	if (json_object_get(note, NOTE_IPC))
		json_object_del(service, "ipc");
}

static void take_out(json_t *document)
{
	json_t *services = json_object_get(document, "services");
	json_t *volumes = json_object_get(document, "volumes");
	const json_t *done = json_object_get(document, KSR_INJECT_COMPOSE_DONE);
	json_t *notes = json_object_get(done, "services");

	if (!json_object_get(done, "form") || !json_is_object(notes))
		return;
	for (void *at = json_object_iter(notes); at; at = json_object_iter_next(notes, at)) {
		char sidecar[NAMES_BYTES];

		snprintf(sidecar, sizeof(sidecar), KSR_INJECT_SIDECAR "-%.200s", json_object_iter_key(at));
		json_object_del(services, sidecar);
		take_out_of_service(json_object_get(services, json_object_iter_key(at)), json_object_iter_value(at));
	}
	json_object_del(services, KSR_INJECT_INIT);
	json_object_del(volumes, KSR_INJECT_VOLUME);
	ksr_tree_drop_empty(document, "volumes");
	json_object_del(document, KSR_INJECT_COMPOSE_DONE);
}

static json_t *changed(const json_t *document, const struct ksr_inject_wish *wish, char *why)
{
	const struct work work = {.wish = wish, .why = why};
	json_t *copy = json_deep_copy(document);
	int error = copy ? 0 : out_of_memory(&work);

	if (!error && !json_is_object(json_object_get(copy, "services")))
		error = refuse(&work, "there is no mapping 'services', which a Compose file has");
	if (!error)
		take_out(copy);
	if (!error && wish)
		error = add(&work, copy);
	if (!error)
		return copy;
	json_decref(copy);
	return NULL;
}

json_t *ksr_inject_compose(const json_t *document, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY])
{
	const char *problem = ksr_inject_wish_problem(wish);

	if (!problem)
		return changed(document, wish, why);
	snprintf(why, KSR_INJECT_WHY, "%s", problem);
	return NULL;
}

json_t *ksr_inject_compose_remove(const json_t *document, char why[KSR_INJECT_WHY])
{
	return changed(document, NULL, why);
}
