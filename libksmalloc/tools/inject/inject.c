/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc inject`: an existing definition of containers with the library in it, or without it again, on the output. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/compose.h"
#include "inject/edit.h"
#include "inject/elsewhere.h"
#include "inject/kube.h"
#include "inject/line.h"
#include "seed_file.h"

#define SIZE_MOST (16 << 20)
#define NAMES_MOST 64

struct inject_options {
	struct ksr_inject_wish wish;
	const char *names[NAMES_MOST];
	bool remove;
	bool in_place;
	bool prepare;
};

enum option_id {
	OPTION_GROUP,
	OPTION_PROFILE,
	OPTION_CONTAINER,
	OPTION_NO_SIDECAR,
	OPTION_NO_SHARE,
	OPTION_USER,
	OPTION_SECCOMP,
	OPTION_TOKEN_SECRET,
	OPTION_FROM,
	OPTION_INIT_IMAGE,
	OPTION_SIDECAR_IMAGE,
	OPTION_REMOVE,
	OPTION_IN_PLACE,
	OPTION_PREPARE,
};

#define AT(member) offsetof(struct inject_options, member)

static const struct ksr_option options[] = {
	[OPTION_GROUP] = {"group", "NAME", "Name the group; by default like the workload, service or container.", KSR_OPTION_TEXT,
			  AT(wish.group), 0},
	[OPTION_PROFILE] = {"profile", "NAME", "The interpreter; found by itself by default.", KSR_OPTION_TEXT, AT(wish.profile), 0},
	[OPTION_CONTAINER] = {"container", "NAME", "Only this container or service; may be given several times.", KSR_OPTION_OWN, 0, 0},
	[OPTION_NO_SIDECAR] = {"no-sidecar", NULL, "Only the library: no exporter, and no keeper beside the workers'.", KSR_OPTION_SWITCH,
			       AT(wish.no_sidecar), 0},
	[OPTION_NO_SHARE] = {"no-share", NULL, "Leave merging to KSM: no shared layout, no store.", KSR_OPTION_SWITCH, AT(wish.no_share), 0},
	[OPTION_USER] = {"user", "UID", "The sidecar's user, where the definition does not say the workers'.", KSR_OPTION_NUMBER,
			 AT(wish.user), UINT32_MAX},
	[OPTION_SECCOMP] = {"seccomp", "PROFILE", "kube: a profile on the nodes that lets addresses be equal.", KSR_OPTION_TEXT,
			    AT(wish.seccomp), 0},
	[OPTION_TOKEN_SECRET] = {"token-secret", "NAME", "kube: the sidecar answers only who sends the token in this secret.", KSR_OPTION_TEXT,
				 AT(wish.token_secret), 0},
	[OPTION_FROM] = {"from", "WAY", "Where the library comes from: " KSR_INJECT_WAYS ".", KSR_OPTION_TEXT, AT(wish.from), 0},
	[OPTION_INIT_IMAGE] = {"init-image", "IMAGE", "Instead of ksmalloc-init.", KSR_OPTION_TEXT, AT(wish.init_image), 0},
	[OPTION_SIDECAR_IMAGE] = {"sidecar-image", "IMAGE", "Instead of ksmalloc-sidecar.", KSR_OPTION_TEXT, AT(wish.sidecar_image), 0},
	[OPTION_REMOVE] = {"remove", NULL, "Take it out again.", KSR_OPTION_SWITCH, AT(remove), 0},
	[OPTION_IN_PLACE] = {"in-place", NULL, "Replace the file instead of printing it.", KSR_OPTION_SWITCH, AT(in_place), 0},
	[OPTION_PREPARE] = {"prepare", NULL, "podman, docker: print what makes the volume of --from=prepared, once for each host.",
			    KSR_OPTION_SWITCH, AT(prepare), 0},
};

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct inject_options *chosen = user;

	(void)option;
	if (chosen->wish.container_count == NAMES_MOST)
		return ksr_usage_error(command, "--container was given more than %d times", NAMES_MOST);
	chosen->names[chosen->wish.container_count++] = value;
	return 0;
}

/* --- files ----------------------------------------------------------------------------- */

static int read_file(const struct ksr_command *command, const char *path, struct ksr_text *text)
{
	int file = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	int error = file < 0 ? -errno : ksr_fs_read_fd(file, SIZE_MOST, text);

	if (file >= 0)
		close(file);
	if (error)
		return ksr_failure(command, "%s: %s", path, strerror(-error));
	return 0;
}

/* All of it or nothing. */
static int give(const struct ksr_command *command, const struct inject_options *chosen, const char *path, const char *text)
{
	int error;

	if (!chosen->in_place) {
		fputs(text, stdout);
		return ksr_output_end(command, 0);
	}
	error = ksr_fs_rewrite(path, text, strlen(text));
	return error ? ksr_failure(command, "%s: %s", path, strerror(-error)) : 0;
}

/* The file's name without folders and what is behind the dot. */
static void name_of(const char *path, char name[64])
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	snprintf(name, 64, "%.*s", (int)ksm_min(strcspn(base, "."), 63), base);
	if (!name[0])
		strcpy(name, "container");
}

/* Where names in the file begin. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(folder, PATH_MAX, "%.*s", slash ? (int)ksm_max(slash - path, 1) : 1, slash ? path : ".");
}

static void say_elsewhere(void *user, const char *sentence)
{
	ksr_failure(user, "%s", sentence);
}

/* --- YAML ------------------------------------------------------------------------------- */

/* A name that is nobody's is a mistake, whatever others were given. */
static bool knows_containers(const struct ksr_yaml *yaml, const struct inject_options *chosen, bool compose, char *why)
{
	for (size_t i = 0; i < chosen->wish.container_count; i++) {
		const char *name = chosen->names[i];
		bool known = false;

		for (size_t k = 0; !known && k < yaml->count; k++) {
			const json_t *document = yaml->documents[k].json;

			known = compose ? json_object_get(json_object_get(document, "services"), name) != NULL : ksr_inject_kube_has(document, name);
		}
		if (!known) {
			snprintf(why, KSR_INJECT_WHY, "there is no %s '%.80s' in it, which --container names", compose ? "service" : "container", name);
			return false;
		}
	}
	return true;
}

/* The wanted trees, one for each document, or 0 and why. */
static size_t change_documents(const struct ksr_yaml *yaml, const struct inject_options *chosen, bool compose, json_t **wanted, char *why)
{
	bool makes_pods = false;
	size_t i;

	for (i = 0; i < yaml->count; i++) {
		const json_t *from = yaml->documents[i].json;

		makes_pods = makes_pods || ksr_inject_kube_makes_pods(from);
		if (compose)
			wanted[i] = chosen->remove ? ksr_inject_compose_remove(from, why) : ksr_inject_compose(from, &chosen->wish, why);
		else
			wanted[i] = chosen->remove ? ksr_inject_kube_remove(from, why) : ksr_inject_kube(from, &chosen->wish, why);
		if (!wanted[i])
			break;
	}
	if (i < yaml->count || i == 0 || (!compose && !makes_pods)) {
		if (i == yaml->count)
			snprintf(why, KSR_INJECT_WHY, "there is nothing in it that makes %s", compose ? "containers" : "pods");
		while (i > 0)
			json_decref(wanted[--i]);
	}
	return i;
}

static char *change_yaml(const struct ksr_text *text, const struct inject_options *chosen, bool compose, char *why)
{
	struct ksr_yaml yaml;
	json_t **wanted = NULL;
	char *result = NULL;
	size_t count = 0;

	if (ksr_yaml_load(&yaml, text->data, text->size, why) == 0 && (chosen->remove || knows_containers(&yaml, chosen, compose, why))) {
		wanted = calloc(yaml.count + 1, sizeof(*wanted));
		if (wanted)
			count = change_documents(&yaml, chosen, compose, wanted, why);
		else
			snprintf(why, KSR_INJECT_WHY, "out of memory");
	}
	if (count)
		result = ksr_edit(&yaml, wanted, why);
	while (count > 0)
		json_decref(wanted[--count]);
	free(wanted);
	ksr_yaml_free(&yaml);
	return result;
}

/* Where the removal would write something in another form than it was, such as an empty list, it is said now. */
static void say_of_removal(const struct ksr_command *command, const char *path, const struct ksr_text *before, const char *made, bool compose)
{
	const struct inject_options removal = {.remove = true};
	const struct ksr_text now = {.data = (char *)(uintptr_t)made, .size = strlen(made)};
	char why[KSR_INJECT_WHY] = "";
	char *back = change_yaml(&now, &removal, compose, why);
	char *was = change_yaml(before, &removal, compose, why);
	size_t line = 1;
	size_t at = 0;

	while (back && was && back[at] && back[at] == was[at])
		line += was[at++] == '\n';
	if (!back || !was || back[at] != was[at])
		ksr_failure(command, "%s: line %zu and what is below it will not be given back letter by letter by --remove", path, line);
	free(back);
	free(was);
}

static void say_of_variables(const struct ksr_command *command, const struct inject_options *chosen, const char *path,
			     const struct ksr_text *text, bool compose)
{
	char why[KSR_INJECT_WHY];
	char folder[PATH_MAX];
	struct ksr_yaml yaml;

	folder_of(path, folder);
	if (ksr_yaml_load(&yaml, text->data, text->size, why) == 0) {
		if (compose)
			ksr_elsewhere_compose(&yaml, &chosen->wish, folder, say_elsewhere, (void *)(uintptr_t)command);
		else
			ksr_elsewhere_kube(&yaml, &chosen->wish, say_elsewhere, (void *)(uintptr_t)command);
	}
	ksr_yaml_free(&yaml);
}

/* --- the command --------------------------------------------------------------------------- */

static int inject_file(const struct ksr_command *command, const struct inject_options *chosen, const char *kind, const char *path)
{
	bool compose = strcmp(kind, "compose") == 0;
	bool is_yaml = compose || strcmp(kind, "kube") == 0;
	char why[KSR_INJECT_WHY] = "out of memory";
	struct ksr_text text = {0};
	char *result;
	char name[64];
	int status = read_file(command, path, &text);

	if (status)
		return status;
	name_of(path, name);
	if (is_yaml)
		result = change_yaml(&text, chosen, compose, why);
	else
		result = ksr_inject_quadlet(memchr(text.data, 0, text.size) ? "" : text.data, name, chosen->remove ? NULL : &chosen->wish, why);
	if (result && !chosen->remove && is_yaml) {
		say_of_removal(command, path, &text, result, compose);
		say_of_variables(command, chosen, path, &text, compose);
	} else if (result && !chosen->remove) {
		char folder[PATH_MAX];

		folder_of(path, folder);
		ksr_elsewhere_quadlet(text.data, folder, say_elsewhere, (void *)(uintptr_t)command);
	}
	status = result ? give(command, chosen, path, result) : ksr_failure(command, "%s: %s", path, why);
	free(result);
	ksr_text_free(&text);
	return status;
}

static int inject_line(const struct ksr_command *command, const struct inject_options *chosen, char **words)
{
	char why[KSR_INJECT_WHY] = "out of memory";
	char *result = ksr_inject_line((const char *const *)words, chosen->remove ? NULL : &chosen->wish, why);
	int status;

	if (!result)
		return ksr_usage_error(command, "%s", why);
	if (!chosen->remove)
		ksr_elsewhere_line((const char *const *)words, say_elsewhere, (void *)(uintptr_t)command);
	status = give(command, chosen, "", result);
	free(result);
	return status;
}

/* For those who have a Compose file, or may not see where the engine has its volumes. */
static int prepare(const struct ksr_command *command, const struct inject_options *chosen, const char *engine, bool alone)
{
	char *text;
	int status;

	if (!alone || chosen->in_place || chosen->remove)
		return ksr_usage_error(command, "--prepare stands without a definition, and without --remove and --in-place, such as: "
				       "ksmalloc inject --prepare %s", engine);
	text = ksr_inject_prepare(engine, &chosen->wish);
	status = text ? give(command, chosen, "", text) : ksr_failure(command, "out of memory");
	free(text);
	return status;
}

static int inject(const struct ksr_command *command, const struct inject_options *chosen, int argc, char **argv)
{
	static const char *const kinds[] = {"kube", "compose", "podman", "docker"};
	const char *kind = argc ? argv[0] : "";
	size_t i = 0;

	while (i < KSM_COUNT_OF(kinds) && strcmp(kinds[i], kind) != 0)
		i++;
	if (i == KSM_COUNT_OF(kinds))
		return ksr_usage_error(command, "%s%s%s; give kube, compose, podman or docker, and what is to be changed",
				       argc ? "'" : "the kind of definition is missing", kind, argc ? "' is no kind of definition" : "");
	if (chosen->prepare && i < 2)
		return ksr_usage_error(command, "--prepare is for podman or docker, whose volume is meant");
	if (chosen->prepare)
		return prepare(command, chosen, kind, argc == 1);
	if (argc == 1)
		return ksr_usage_error(command, i < 2 ? "a file is missing; - is the standard input" :
							"a command line is missing, such as: -- %s run --name=web IMAGE", kind);
	if (i >= 2 && (argc > 2 || i == 3)) {
		if (chosen->in_place)
			return ksr_usage_error(command, "--in-place is for files");
		return inject_line(command, chosen, argv + 1);
	}
	if (argc > 2)
		return ksr_usage_error(command, "'%s' is one argument too many; it takes one file", argv[2]);
	if (chosen->in_place && strcmp(argv[1], "-") == 0)
		return ksr_usage_error(command, "--in-place is for files");
	return inject_file(command, chosen, kind, argv[1]);
}

static int inject_main(const struct ksr_command *command, int argc, char **argv)
{
	struct inject_options chosen = {0};
	const char *problem;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, &chosen, &status);

	if (first < 0)
		return status;
	chosen.wish.containers = chosen.names;
	chosen.wish.others_stay = true;
	problem = ksr_inject_wish_problem(&chosen.wish);
	if (problem)
		return ksr_usage_error(command, "%s", problem);
	return inject(command, &chosen, argc - first, argv + first);
}

const struct ksr_command ksr_command_inject = {
	.name = "inject",
	.arguments = "kube|compose|podman|docker FILE|-- COMMAND",
	.summary = "Put the library and a sidecar into a definition of containers, or take them out",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = inject_main,
};
