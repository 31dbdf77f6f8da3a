/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/elsewhere.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/line.h"
#include "inject/tree.h"
#include "read/fs.h"

#define VARIABLE   "LD_PRELOAD"
#define HIDDEN	   ", which ours hides"
#define FILE_BYTES (1 << 20)
#define EXTENDS_MOST 8

enum has { HAS_NOT, HAS, MAY_HAVE };

struct teller {
	ksr_elsewhere_say *say;
	void *user;
	const char *folder;
	const struct ksr_inject_wish *wish;
};

static void tell(const struct teller *teller, const char *format, ...) KSM_PRINTF(2, 3);

static void tell(const struct teller *teller, const char *format, ...)
{
	char sentence[KSR_INJECT_WHY];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	teller->say(teller->user, sentence);
}

/* --- files of variables ------------------------------------------------------------------- */

/* NAME=VALUE on a line, or NAME alone, whose value is that of the engine's environment. */
static bool sets(const char *text)
{
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		at += strspn(at, " \t");
		if (strncmp(at, "export ", 7) == 0)
			at += 7 + strspn(at + 7, " \t");
		if (strncmp(at, VARIABLE, strlen(VARIABLE)) == 0 && strchr("= \t\r\n", at[strlen(VARIABLE)]))
			return true;
	}
	return false;
}

/* A pipe, or a file without end, is not waited for. */
static enum has look_at_file(const char *folder, const char *name)
{
	struct ksr_text text = {0};
	struct stat status;
	char path[PATH_MAX];
	enum has has = MAY_HAVE;
	int file;

	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file < 0)
		return MAY_HAVE;
	if (!fstat(file, &status) && S_ISREG(status.st_mode) && ksr_fs_read_fd(file, FILE_BYTES, &text) == 0)
		has = sets(text.data) ? HAS : HAS_NOT;
	ksr_text_free(&text);
	close(file);
	return has;
}

static void tell_of_file(const struct teller *teller, const char *whose, const char *name)
{
	enum has has = look_at_file(teller->folder, name);

	if (has == HAS)
		tell(teller, "%s%s sets " VARIABLE HIDDEN, whose, name);
	else if (has == MAY_HAVE)
		tell(teller, "%s%s cannot be read here; if it sets " VARIABLE ", ours hides that", whose, name);
}

/* --- Kubernetes ----------------------------------------------------------------------------- */

static enum has look_at_documents(const struct ksr_yaml *yaml, const char *kind, const char *name, const char *prefix)
{
	const char *rest = strncmp(VARIABLE, prefix, strlen(prefix)) == 0 ? VARIABLE + strlen(prefix) : NULL;

	if (!rest || !rest[0])
		return HAS_NOT;
	for (size_t i = 0; i < yaml->count; i++) {
		const json_t *document = yaml->documents[i].json;

		if (strcmp(ksr_tree_text(document, "kind"), kind) == 0 &&
		    strcmp(ksr_tree_text(json_object_get(document, "metadata"), "name"), name) == 0)
			return json_object_get(json_object_get(document, "data"), rest) ||
					       json_object_get(json_object_get(document, "stringData"), rest) ? HAS : HAS_NOT;
	}
	return MAY_HAVE;
}

static void look_at_container(const struct teller *teller, const struct ksr_yaml *yaml, const json_t *container)
{
	static const char *const refs[][2] = {{"configMapRef", "ConfigMap"}, {"secretRef", "Secret"}};
	const json_t *list = json_object_get(container, "envFrom");
	const char *whose = ksr_tree_text(container, "name");

	if (!ksr_inject_wish_means(teller->wish, whose))
		return;
	for (size_t i = 0; i < 2 * json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i / 2);
		const json_t *ref = json_object_get(entry, refs[i % 2][0]);
		const char *name = ksr_tree_text(ref, "name");
		enum has has = ref ? look_at_documents(yaml, refs[i % 2][1], name, ksr_tree_text(entry, "prefix")) : HAS_NOT;

		if (has == HAS)
			tell(teller, "container '%s' has " VARIABLE " from %s '%s'" HIDDEN, whose, refs[i % 2][1], name);
		else if (has == MAY_HAVE)
			tell(teller, "container '%s' has variables of %s '%s', which is not in this file; if " VARIABLE " is among them, ours hides it",
			     whose, refs[i % 2][1], name);
	}
}

/* Wherever a document has its pod. */
static void look_into(const struct teller *teller, const struct ksr_yaml *yaml, json_t *value)
{
	const json_t *list = json_object_get(value, "containers");

	for (size_t i = 0; i < json_array_size(list); i++)
		look_at_container(teller, yaml, json_array_get(list, i));
	for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
		look_into(teller, yaml, json_object_iter_value(at));
	for (size_t i = 0; i < json_array_size(value); i++)
		look_into(teller, yaml, json_array_get(value, i));
}

void ksr_elsewhere_kube(const struct ksr_yaml *yaml, const struct ksr_inject_wish *wish, ksr_elsewhere_say *say, void *user)
{
	const struct teller teller = {.say = say, .user = user, .wish = wish};

	for (size_t i = 0; i < yaml->count; i++)
		look_into(&teller, yaml, yaml->documents[i].json);
}

/* --- Compose, commands and Quadlet ------------------------------------------------------------ */

static void look_at_service(const struct teller *teller, const char *name, const json_t *files)
{
	size_t count = json_is_array(files) ? json_array_size(files) : files != NULL;
	char whose[300];

	snprintf(whose, sizeof(whose), "services.%.200s.env_file: ", name);
	for (size_t i = 0; i < count; i++) {
		const json_t *entry = json_is_array(files) ? json_array_get(files, i) : files;
		const char *path = json_is_string(entry) ? json_string_value(entry) : ksr_tree_text(entry, "path");

		if (path[0])
			tell_of_file(teller, whose, path);
	}
}

/* A service's own, or of a merge; not what was put there before. */
static bool sets_preload(const json_t *service)
{
	const json_t *environment = ksr_tree_merged(service, "environment");
	const char *value = json_string_value(ksr_tree_merged(environment, VARIABLE));

	for (size_t i = 0; i < json_array_size(environment); i++) {
		const char *text = json_string_value(json_array_get(environment, i));

		if (text && strncmp(text, VARIABLE "=", strlen(VARIABLE "=")) == 0)
			value = text + strlen(VARIABLE "=");
	}
	if (value && strncmp(value, KSR_INJECT_PRELOAD, strlen(KSR_INJECT_PRELOAD)) == 0)
		value += strlen(KSR_INJECT_PRELOAD);
	return value && value[0];
}

/* What a service has from another one, of this file or of another file, is hidden by what is put into it. */
static void look_at_extended(const struct teller *teller, const json_t *services, const char *name)
{
	const char *whose = name;
	bool has_own = sets_preload(json_object_get(services, name));

	for (size_t depth = 0; !has_own && depth < EXTENDS_MOST; depth++) {
		const json_t *extends = ksr_tree_merged(json_object_get(services, name), "extends");
		const char *file = ksr_tree_text(extends, "file");

		name = json_is_string(extends) ? json_string_value(extends) : ksr_tree_text(extends, "service");
		if (!name[0])
			return;
		if (file[0]) {
			tell(teller, "services.%.80s extends '%.80s' of %.80s, which is not read; if that sets " VARIABLE ", ours hides it", whose, name, file);
			return;
		}
		/* What that one extends is hidden by it. */
		if (sets_preload(json_object_get(services, name))) {
			tell(teller, "services.%.80s extends '%.80s', which sets " VARIABLE HIDDEN, whose, name);
			return;
		}
	}
}

void ksr_elsewhere_compose(const struct ksr_yaml *yaml, const struct ksr_inject_wish *wish, const char *folder, ksr_elsewhere_say *say,
			   void *user)
{
	const struct teller teller = {.say = say, .user = user, .folder = folder, .wish = wish};
	json_t *services = yaml->count ? json_object_get(yaml->documents[0].json, "services") : NULL;

	for (void *at = json_object_iter(services); at; at = json_object_iter_next(services, at)) {
		if (ksr_inject_wish_means(wish, json_object_iter_key(at))) {
			look_at_service(&teller, json_object_iter_key(at), ksr_tree_merged(json_object_iter_value(at), "env_file"));
			look_at_extended(&teller, services, json_object_iter_key(at));
		}
	}
}

void ksr_elsewhere_line(const char *const *words, ksr_elsewhere_say *say, void *user)
{
	const struct teller teller = {.say = say, .user = user, .folder = "."};
	const char *name;

	for (size_t at = 0; (name = ksr_inject_line_value(words, "--env-file", &at));)
		tell_of_file(&teller, "", name);
}

void ksr_elsewhere_quadlet(const char *text, const char *folder, ksr_elsewhere_say *say, void *user)
{
	static const char setting[] = "EnvironmentFile=";
	const struct teller teller = {.say = say, .user = user, .folder = folder};

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		char name[PATH_MAX];

		if (strncmp(at, setting, strlen(setting)) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + strlen(setting), "\r\n"), at + strlen(setting));
		/* The manager of services passes over one that is not there where a dash says so. */
		tell_of_file(&teller, "", name + (name[0] == '-'));
	}
}
