/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOLUME_WORD  "--volume="
#define VOLUME_END   ":" KSR_INJECT_FOLDER ":ro"
#define IMAGE_WORD   "--mount=type=image,source="
#define IMAGE_END    ",destination=" KSR_INJECT_FOLDER
#define PRELOAD_WORD "--env=LD_PRELOAD=" KSR_INJECT_PRELOAD
#define OPTIONS_WORD "--env=" KSR_INJECT_OPTIONS "="
#define IPC_WORD     "--ipc=shareable"

#define BEGIN_MARK "# begin ksmalloc: 'ksmalloc inject podman --remove' takes it out\n"
#define END_MARK   "# end ksmalloc\n"

static char *refuse(char *why, const char *what)
{
	snprintf(why, KSR_INJECT_WHY, "%s", what);
	return NULL;
}

/* --- words ---------------------------------------------------------------------------- */

static void put_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-=:,@%+";

	if (word[0] && strspn(word, plain) == strlen(word)) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

/* Short options of docker's and podman's that have no value, and that others may stand behind in one word. */
#define WITHOUT_VALUE "ditPq"

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static bool ends(const char *word, const char *with)
{
	size_t length = strlen(word);

	return length >= strlen(with) && strcmp(word + length - strlen(with), with) == 0;
}

/* Ours stand right behind `run`, in this order; the engine's --ipc may have been there. */
static size_t count_ours(const char *const *words)
{
	static const char *const ours[] = {PRELOAD_WORD, IPC_WORD, OPTIONS_WORD};
	size_t count = 1;

	if (!words[0] || !((begins(words[0], VOLUME_WORD) && ends(words[0], VOLUME_END)) ||
			   (begins(words[0], IMAGE_WORD) && ends(words[0], IMAGE_END))))
		return 0;
	for (size_t i = 0; i < KSM_COUNT_OF(ours); i++) {
		if (words[count] && begins(words[count], ours[i]))
			count++;
		else if (strcmp(ours[i], IPC_WORD) != 0)
			return 0;
	}
	return count;
}

/* Options without a value; of all others the next word is it, unless it is behind a '='. */
static bool stands_alone(const char *word)
{
	static const char *const alone[] = {"--detach",	     "--interactive", "--tty",	      "--rm",	       "--privileged",	 "--init",
					    "--read-only",   "--publish-all", "--no-healthcheck", "--no-hosts", "--no-hostname",
					    "--oom-kill-disable", "--quiet",  "--replace",    "--tls-verify",  "--env-host",	 "--http-proxy",
					    "--read-only-tmpfs",  "--rmi",    "--sig-proxy",  "--passwd",      "--unsetenv-all", "--help",
					    "--disable-content-trust", "--use-api-socket"};

	if (strchr(word, '='))
		return true;
	/* Letters of which the last may have a value; one before it has what is behind it. */
	if (word[1] != '-') {
		size_t letters = 1 + strspn(word + 1, WITHOUT_VALUE);

		return !word[letters] || word[letters + 1];
	}
	for (size_t i = 0; i < KSM_COUNT_OF(alone); i++) {
		if (strcmp(word, alone[i]) == 0)
			return true;
	}
	return false;
}

/* The engine's words; behind them are the image and the container's command, which are no options of the engine's. */
static size_t count_options(const char *const *words)
{
	size_t count = 0;

	while (words[count] && words[count][0] == '-' && strcmp(words[count], "--") != 0)
		count += stands_alone(words[count]) || !words[count + 1] ? 1 : 2;
	return count;
}

/* The next value of an option of the engine's, in either form, from *at on; NULL: there is none. */
static const char *next_value(const char *const *words, const char *option, size_t *at)
{
	size_t count = count_options(words);
	size_t length = strlen(option);

	while (*at < count) {
		const char *word = words[*at];
		bool alone = stands_alone(word);

		*at += alone ? 1 : 2;
		if (alone && begins(word, option) && word[length] == '=')
			return word + length + 1;
		if (!alone && strcmp(word, option) == 0)
			return words[*at - 1];
	}
	return NULL;
}

/* The value of an option of which the last one counts; NULL: it is not there. */
static const char *value_of(const char *const *words, const char *option)
{
	const char *value = NULL;
	size_t at = 0;

	for (const char *next; (next = next_value(words, option, &at));)
		value = next;
	return value;
}

/* The value of the short option with this letter, which others without a value may stand before: -itv VALUE, -vVALUE. NULL: it is another word. */
static const char *short_value(const char *word, const char *next, char letter)
{
	const char *option = word[0] == '-' && word[1] != '-' ? word + 1 + strspn(word + 1, WITHOUT_VALUE) : "";

	if (option[0] != letter)
		return NULL;
	return option[1] ? option + 1 : next;
}

static bool sets_variable(const char *const *words, const char *name)
{
	size_t count = count_options(words);

	for (size_t i = 0; i < count; i++) {
		const char *next = i + 1 < count ? words[i + 1] : NULL;
		const char *setting = short_value(words[i], next, 'e');

		if (strcmp(words[i], "--env") == 0)
			setting = next;
		else if (begins(words[i], "--env="))
			setting = words[i] + strlen("--env=");
		if (setting && begins(setting, name) && strchr("=", setting[strlen(name)]))
			return true;
	}
	return false;
}

/* Of SOURCE:FOLDER:OPTIONS, of a folder alone or with one of ends behind it, or of type=bind,source=...,target=FOLDER. */
static bool is_at_folder(const char *value, const char *ends)
{
	static const char *const keys[] = {"destination=", "dst=", "target="};

	for (size_t i = 0; i < KSM_COUNT_OF(keys); i++) {
		const char *at = strstr(value, keys[i]);

		if (at && ksr_inject_is_folder(at + strlen(keys[i]), ","))
			return true;
	}
	return ksr_inject_mounts_folder(value, ends);
}

/* Of an engine two at one place are a mistake. */
static bool mounts_at_folder(const char *const *words)
{
	static const char *const options[] = {"--volume", "--mount", "--tmpfs"};
	size_t count = count_options(words);

	for (size_t i = 0; i < KSM_COUNT_OF(options); i++) {
		size_t at = 0;

		for (const char *next; (next = next_value(words, options[i], &at));) {
			if (is_at_folder(next, i == KSM_COUNT_OF(options) - 1 ? ":" : ""))
				return true;
		}
	}
	for (size_t i = 0; i < count; i += stands_alone(words[i]) ? 1 : 2) {
		const char *mounted = short_value(words[i], words[i + 1], 'v');

		if (mounted && is_at_folder(mounted, ""))
			return true;
	}
	return false;
}

/* Behind the word `run`, or `create`; 0: there is none, or it is that of something else than a container. */
static size_t find_run(const char *const *words)
{
	static const char *const others[] = {"pod", "network", "volume", "secret", "compose", "machine", "kube", "manifest", "buildx",
					     "service", "context", "config", "plugin", "stack", "swarm", "farm", "builder"};
	size_t i = 1;

	while (words[0] && words[i] && strcmp(words[i], "run") != 0 && strcmp(words[i], "create") != 0) {
		for (size_t k = 0; k < KSM_COUNT_OF(others); k++) {
			if (strcmp(words[i], others[k]) == 0)
				return 0;
		}
		i++;
	}
	return words[0] && words[i] ? i + 1 : 0;
}

const char *ksr_inject_line_value(const char *const *words, const char *option, size_t *at)
{
	size_t run = find_run(words);

	return run ? next_value(words + run, option, at) : NULL;
}

/* What stands before `run`: the engine, and its own options. */
static void put_engine(FILE *out, const char *const *words, size_t run)
{
	for (size_t i = 0; i + 1 < run; i++) {
		put_word(out, words[i]);
		fputc(' ', out);
	}
}

static void put_rest(FILE *out, const char *const *words)
{
	for (; *words; words++) {
		fputc(' ', out);
		put_word(out, *words);
	}
	fputc('\n', out);
}

static const char *problem_of(const char *const *rest, const struct ksr_inject_wish *wish)
{
	const char *ipc = value_of(rest, "--ipc");
	const char *name = value_of(rest, "--name");

	if (sets_variable(rest, "LD_PRELOAD"))
		return "the command sets LD_PRELOAD itself, which would hide ours; take it out";
	if (sets_variable(rest, KSR_INJECT_OPTIONS))
		return "the command sets " KSR_INJECT_OPTIONS " itself, which would hide ours; take it out";
	if (mounts_at_folder(rest))
		return "the command has something at " KSR_INJECT_FOLDER " itself, where the library would be; put that elsewhere";
	if (wish->token_secret)
		return "a secret with the token (--token-secret) is Kubernetes'; give the sidecar's line --token-file yourself";
	if (wish->seccomp)
		return "a seccomp profile of a node (--seccomp) is Kubernetes'; give the engine --security-opt seccomp=FILE";
	if (wish->no_sidecar)
		return NULL;
	if (!name || !name[0])
		return "the command has no --name, which the sidecar would ask for; give it one, or leave the sidecar out (--no-sidecar)";
	if (ipc && strcmp(ipc, "shareable") != 0)
		return "the command has an --ipc that no sidecar can share; leave the sidecar out (--no-sidecar)";
	if (value_of(rest, "--pid"))
		return "the command has a --pid of others, where a sidecar cannot tell its processes; leave the sidecar out (--no-sidecar)";
	return NULL;
}

static const char *base_of(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash ? slash + 1 : word;
}

/* Also behind sudo or doas, and their options. What stands behind another engine is an argument of that one. */
static bool is_podman(const char *const *words, size_t run)
{
	bool is_behind = strcmp(base_of(words[0]), "sudo") == 0 || strcmp(base_of(words[0]), "doas") == 0;
	size_t i = 0;

	while (is_behind && i + 1 < run && strcmp(base_of(words[i]), "podman") != 0)
		i++;
	return i + 1 < run && strcmp(base_of(words[i]), "podman") == 0;
}

/* Whether it says `container run`; what is done with a volume stands in the place of both. */
static bool says_container(const char *const *words, size_t run)
{
	return run > 2 && strcmp(words[run - 2], "container") == 0;
}

/*
 * What asks the shell whether the volume has the library, where it is known where the engine has it: of one that is called without
 * options. Each call of an engine takes longer than all that the library costs a start.
 */
static const char *place_of_volumes(const char *const *words, size_t run)
{
	if (run != 2 && !(run == 3 && says_container(words, run)))
		return NULL;
	if (is_podman(words, run))
		return "$([ \"$(id -u)\" = 0 ] && echo /var/lib || echo \"${XDG_DATA_HOME:-$HOME/.local/share}\")/containers/storage/volumes";
	return strcmp(base_of(words[0]), "docker") == 0 ? "/var/lib/docker/volumes" : NULL;
}

static void put_copying(FILE *out, const char *volume, const struct ksr_inject_wish *wish)
{
	fprintf(out, "run --rm --network=none --volume=%s:" KSR_INJECT_FILLED " %s", volume, ksr_inject_wish_init_image(wish));
}

/*
 * A volume of podman's that is the image, since podman 4.3: no container has to be started for it. Where there is none such, as there is no
 * image, a container copies the files. Neither is done where one of both was done before. then: what is done where it is the image;
 * how: a word of the shell's before the command that copies.
 */
static void put_filling_of_podman(FILE *out, const char *const *words, size_t run, const char *then, const char *how,
				  const struct ksr_inject_wish *wish)
{
	size_t engine = run - says_container(words, run);
	char volume[KSR_INJECT_VOLUME_NAME];

	ksr_inject_wish_volume(wish, volume);
	fputs("if ", out);
	put_engine(out, words, engine);
	fprintf(out, "volume create --driver=image --opt=image=%s %s >/dev/null 2>&1 || ", ksr_inject_wish_init_image(wish), volume);
	put_engine(out, words, engine);
	fprintf(out, "volume inspect --format={{.Driver}} %s 2>/dev/null | grep -qx image; then %s; else %s", volume, then, how);
	put_engine(out, words, run);
	put_copying(out, volume, wish);
	fputs("; fi", out);
}

/*
 * The volume has the library once, and is asked for it where it cannot be looked at. The file that is looked for is copied last; beside
 * an image it is a mark in a folder that the image hides.
 */
static void put_filling(FILE *out, const char *const *words, size_t run, const struct ksr_inject_wish *wish)
{
	const char *place = place_of_volumes(words, run);
	char volume[KSR_INJECT_VOLUME_NAME];

	ksr_inject_wish_volume(wish, volume);
	if (place)
		fprintf(out, "file=\"%s/%s/_data/" KSR_INJECT_START "\"; [ -e \"$file\" ] || ", place, volume);
	if (is_podman(words, run)) {
		put_filling_of_podman(out, words, run, place ? "touch \"$file\" 2>/dev/null || :" : ":", "", wish);
	} else {
		put_engine(out, words, run);
		put_copying(out, volume, wish);
	}
	fputc('\n', out);
}

char *ksr_inject_prepare(const char *engine, const struct ksr_inject_wish *wish)
{
	const char *const words[] = {engine, "run", NULL};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_filling(out, words, 2, wish);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* Of a volume what is behind the option's name, which Quadlet has in another form. */
static void put_mount_value(FILE *out, const struct ksr_inject_wish *wish)
{
	char volume[KSR_INJECT_VOLUME_NAME];

	ksr_inject_wish_volume(wish, volume);
	if (ksr_inject_wish_way(wish) == KSR_INJECT_BY_IMAGE)
		fprintf(out, IMAGE_WORD "%s" IMAGE_END, ksr_inject_wish_init_image(wish));
	else
		fprintf(out, "%s" VOLUME_END, ksr_inject_wish_way(wish) == KSR_INJECT_BY_FOLDER ? wish->from : volume);
}

static void put_sidecar(FILE *out, const char *const *words, size_t run, const char *name, const char *group,
			const struct ksr_inject_wish *wish)
{
	char word[512];

	put_engine(out, words, run);
	snprintf(word, sizeof(word), "--name=%s-ksmalloc", name);
	fputs("run --detach --rm --read-only ", out);
	put_word(out, word);
	snprintf(word, sizeof(word), "container:%s", name);
	fputs(" --pid=", out);
	put_word(out, word);
	fputs(" --ipc=", out);
	put_word(out, word);
	if (wish->user)
		fprintf(out, " --user=%llu", (unsigned long long)wish->user);
	fprintf(out, " %s --group=%s", ksr_inject_wish_sidecar_image(wish), group);
}

static void put_application(FILE *out, const char *const *words, size_t run, const char *const *rest, const char *options,
			    const struct ksr_inject_wish *wish)
{
	put_engine(out, words, run);
	fprintf(out, "%s ", words[run - 1]);
	if (ksr_inject_wish_way(wish) != KSR_INJECT_BY_IMAGE)
		fputs(VOLUME_WORD, out);
	put_mount_value(out, wish);
	fprintf(out, " " PRELOAD_WORD "%s '" OPTIONS_WORD "%s'", wish->no_sidecar || value_of(rest, "--ipc") ? "" : " " IPC_WORD, options);
	put_rest(out, rest);
}

/* Whether the engine comes back while the container runs. */
static bool is_detached(const char *const *words)
{
	size_t count = count_options(words);
	bool detached = false;

	for (size_t i = 0; i < count; i += stands_alone(words[i]) ? 1 : 2) {
		if (words[i][1] != '-')
			detached = detached || memchr(words[i], 'd', 1 + strspn(words[i] + 1, WITHOUT_VALUE));
		else if (strcmp(words[i], "--detach") == 0 || begins(words[i], "--detach="))
			detached = strcmp(words[i], "--detach=false") != 0;
	}
	return detached;
}

/* false without memory. */
static bool put_all(FILE *out, const char *const *words, size_t run, const char *const *rest, const struct ksr_inject_wish *wish)
{
	const char *name = value_of(rest, "--name");
	bool creates = strcmp(words[run - 1], "create") == 0;
	bool detached = creates || is_detached(rest);
	char group[64];
	char *options;

	ksr_inject_name_group(wish->group ? wish->group : name ? name : "container", group);
	options = ksr_inject_wish_options(wish, group);
	if (!options)
		return false;
	if (ksr_inject_wish_way(wish) == KSR_INJECT_BY_VOLUME)
		put_filling(out, words, run, wish);
	/* An engine that stays until the container has ended is the last one to be called; its status is that of the whole. */
	if (!wish->no_sidecar && !detached) {
		fputs("# beside it, as soon as it runs; it ends with it\n(for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1; ", out);
		put_sidecar(out, words, run, name, group, wish);
		fputs(" >/dev/null 2>&1 && break; done) &\n", out);
	}
	put_application(out, words, run, rest, options, wish);
	if (!wish->no_sidecar && detached) {
		fputs(creates ? "# beside it, once it was started; it ends with it:\n# " : "# beside it, when it runs; it ends with it\n", out);
		put_sidecar(out, words, run, name, group, wish);
		fputc('\n', out);
	}
	free(options);
	return true;
}

char *ksr_inject_line(const char *const *words, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY])
{
	size_t run = find_run(words);
	const char *const *rest = words + run;
	const char *problem = wish ? ksr_inject_wish_problem(wish) : NULL;
	char *text = NULL;
	size_t size;
	bool good = true;
	FILE *out;

	if (!run || !rest[0])
		return refuse(why, "that is no command that runs a container, such as: podman run --name=web IMAGE");
	rest += count_ours(rest);
	problem = problem || !wish ? problem : problem_of(rest, wish);
	if (problem)
		return refuse(why, problem);
	out = open_memstream(&text, &size);
	if (!out)
		return refuse(why, "out of memory");
	if (wish) {
		good = put_all(out, words, run, rest, wish);
	} else {
		put_engine(out, words, run);
		fputs(words[run - 1], out);
		put_rest(out, rest);
	}
	if (!fclose(out) && good)
		return text;
	free(text);
	return refuse(why, "out of memory");
}

/* --- files of Quadlet -------------------------------------------------------------------- */

/* In any line but comments: settings go on in the next line, and options may be anywhere. */
static bool has_word(const char *text, const char *word)
{
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		at += strspn(at, " \t");
		if (!strchr("#;", *at) && memmem(at, strcspn(at, "\n"), word, strlen(word)))
			return true;
	}
	return false;
}

/* Of what is before our part; NULL: there is none. */
static const char *problem_of_file(const char *text, const struct ksr_inject_wish *wish)
{
	size_t length = strlen(text);

	if (length && text[length - 1] != '\n')
		return "its last line has no end";
	while (length && strchr("\r\n", text[length - 1]))
		length--;
	if (length && text[length - 1] == '\\')
		return "its last line goes on behind the file's end, by a backslash";
	if (has_word(text, "LD_PRELOAD") || has_word(text, KSR_INJECT_OPTIONS))
		return "it sets LD_PRELOAD or " KSR_INJECT_OPTIONS " itself; take it out";
	if (!wish->no_sidecar && has_word(text, "--ipc"))
		return "it has an --ipc of its own; leave the sidecar out (--no-sidecar)";
	return NULL;
}

/* A manager of a user and that of the system have their volumes elsewhere. Without the library is better than not at all. */
static void put_filling_of_unit(FILE *out, const struct ksr_inject_wish *wish)
{
	static const char *const podman[] = {"/usr/bin/podman", NULL};
	char volume[KSR_INJECT_VOLUME_NAME];

	ksr_inject_wish_volume(wish, volume);
	fprintf(out, "[Service]\nExecStartPre=-/bin/sh -c 'file=$$([ \"$$(id -u)\" = 0 ] && echo /var/lib || echo \"%%h/.local/share\")"
		"/containers/storage/volumes/%s/_data/" KSR_INJECT_START "; [ -e \"$$file\" ] || ", volume);
	put_filling_of_podman(out, podman, KSM_COUNT_OF(podman), "touch \"$$file\" 2>/dev/null", "exec ", wish);
	fputs("'\n", out);
}

static char *put_part(const char *text, size_t kept, const char *group, const struct ksr_inject_wish *wish)
{
	char *options = ksr_inject_wish_options(wish, group);
	char *made = NULL;
	size_t size;
	FILE *out = options ? open_memstream(&made, &size) : NULL;

	if (out) {
		bool by_image = ksr_inject_wish_way(wish) == KSR_INJECT_BY_IMAGE;

		fprintf(out, "%.*s" BEGIN_MARK, (int)kept, text);
		if (ksr_inject_wish_way(wish) == KSR_INJECT_BY_VOLUME)
			put_filling_of_unit(out, wish);
		fputs(by_image ? "[Container]\nPodmanArgs=" : "[Container]\nVolume=", out);
		put_mount_value(out, wish);
		fprintf(out, "\nEnvironment=LD_PRELOAD=" KSR_INJECT_PRELOAD "\nEnvironment=\"" KSR_INJECT_OPTIONS "=%s\"\n%s" END_MARK, options,
			wish->no_sidecar ? "" : "PodmanArgs=--ipc=shareable\n");
		if (fclose(out)) {
			free(made);
			made = NULL;
		}
	}
	free(options);
	return made;
}

char *ksr_inject_quadlet(const char *text, const char *name, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY])
{
	const char *ours = strstr(text, BEGIN_MARK);
	const char *problem = wish ? ksr_inject_wish_problem(wish) : NULL;
	const char *end = ours ? strstr(ours, END_MARK) : NULL;
	size_t kept = ours ? (size_t)(ours - text) : strlen(text);
	char group[64];
	char *made;

	if (problem)
		return refuse(why, problem);
	if (!has_word(text, "[Container]"))
		return refuse(why, "it has no [Container], as a file of Quadlet (NAME.container) has");
	if (ours && (!end || end[strlen(END_MARK)]))
		return refuse(why, "something was written behind or into ksmalloc's part at its end; take that out by hand");
	if (!wish) {
		made = strndup(text, kept);
		return made ? made : refuse(why, "out of memory");
	}
	made = strndup(text, kept);
	problem = made ? problem_of_file(made, wish) : NULL;
	free(made);
	if (!made || problem)
		return refuse(why, problem ? problem : "out of memory");
	ksr_inject_name_group(wish->group ? wish->group : name, group);
	made = put_part(text, kept, group, wish);
	return made ? made : refuse(why, "out of memory");
}
