/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOLUME_WORD  "--volume=" KSR_INJECT_VOLUME ":" KSR_INJECT_FOLDER ":ro"
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

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

/* Ours stand right behind `run`, in this order; the engine's --ipc may have been there. */
static size_t count_ours(const char *const *words)
{
	static const char *const ours[] = {VOLUME_WORD, PRELOAD_WORD, IPC_WORD, OPTIONS_WORD};
	size_t count = 0;

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
		size_t letters = 1 + strspn(word + 1, "ditPq");

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

/* The value of an option of the engine's, in either form; NULL: it is not there. */
static const char *value_of(const char *const *words, const char *option)
{
	size_t count = count_options(words);
	size_t length = strlen(option);
	const char *value = NULL;

	/* The last one counts. */
	for (size_t i = 0; i < count; i++) {
		if (begins(words[i], option) && words[i][length] == '=')
			value = words[i] + length + 1;
		else if (strcmp(words[i], option) == 0 && i + 1 < count)
			value = words[i + 1];
	}
	return value;
}

static bool sets_variable(const char *const *words, const char *name)
{
	size_t count = count_options(words);

	for (size_t i = 0; i < count; i++) {
		const char *setting = NULL;

		if (strcmp(words[i], "-e") == 0 || strcmp(words[i], "--env") == 0)
			setting = i + 1 < count ? words[i + 1] : NULL;
		else if (begins(words[i], "--env="))
			setting = words[i] + strlen("--env=");
		else if (begins(words[i], "-e"))
			setting = words[i] + strlen("-e");
		if (setting && begins(setting, name))
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

static void put_sidecar(FILE *out, const char *const *words, size_t run, const char *name, const char *group,
			const struct ksr_inject_wish *wish)
{
	char word[512];

	fputs("# beside it, when it runs; it ends with it\n", out);
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
	fprintf(out, " %s --group=%s\n", ksr_inject_wish_sidecar_image(wish), group);
}

/* false without memory. */
static bool put_all(FILE *out, const char *const *words, size_t run, const char *const *rest, const struct ksr_inject_wish *wish)
{
	const char *name = value_of(rest, "--name");
	char group[64];
	char *options;

	ksr_inject_name_group(wish->group ? wish->group : name ? name : "container", group);
	options = ksr_inject_wish_options(wish, group);
	if (!options)
		return false;
	put_engine(out, words, run);
	fprintf(out, "run --rm --network=none --volume=" KSR_INJECT_VOLUME ":" KSR_INJECT_FOLDER " %s\n", ksr_inject_wish_init_image(wish));
	put_engine(out, words, run);
	fprintf(out, "%s " VOLUME_WORD " " PRELOAD_WORD "%s '" OPTIONS_WORD "%s'", words[run - 1],
		wish->no_sidecar || value_of(rest, "--ipc") ? "" : " " IPC_WORD, options);
	put_rest(out, rest);
	if (!wish->no_sidecar)
		put_sidecar(out, words, run, name, group, wish);
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

static char *put_part(const char *text, size_t kept, const char *group, const struct ksr_inject_wish *wish)
{
	char *options = ksr_inject_wish_options(wish, group);
	char *made = NULL;

	if (options && asprintf(&made,
				"%.*s" BEGIN_MARK "[Service]\nExecStartPre=/usr/bin/podman run --rm --network=none --volume=" KSR_INJECT_VOLUME
				":" KSR_INJECT_FOLDER " %s\n[Container]\nVolume=" KSR_INJECT_VOLUME ":" KSR_INJECT_FOLDER
				":ro\nEnvironment=LD_PRELOAD=" KSR_INJECT_PRELOAD "\nEnvironment=\"" KSR_INJECT_OPTIONS "=%s\"\n%s" END_MARK,
				(int)kept, text, ksr_inject_wish_init_image(wish), options,
				wish->no_sidecar ? "" : "PodmanArgs=--ipc=shareable\n") < 0)
		made = NULL;
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
