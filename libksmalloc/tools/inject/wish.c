/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/wish.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define SMALL_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"
#define SECRET_LETTERS SMALL_LETTERS ".-"
#define IMAGE_LETTERS NAME_LETTERS "/:@"

static bool is_of(const char *text, const char *letters, size_t most)
{
	size_t length = strlen(text);

	return length > 0 && length <= most && strspn(text, letters) == length && text[0] != '-';
}

/* A colon or a comma would end it where engines have it among other words. */
static bool is_folder(const char *path)
{
	return path[0] == '/' && path[1] && is_of(path, NAME_LETTERS "/", 255) && !strstr(path, "/../") && !strstr(path, "//") &&
	       strcmp(path + strlen(path) - ksm_min(strlen(path), (size_t)3), "/..") != 0;
}

const char *ksr_inject_wish_problem(const struct ksr_inject_wish *wish)
{
	if (wish->group && !is_of(wish->group, NAME_LETTERS, 63))
		return "the group's name may have up to 63 letters, digits, dots, dashes or underscores";
	if (wish->profile && !is_of(wish->profile, NAME_LETTERS, 63))
		return "the profile is no name of an interpreter";
	if (!is_of(ksr_inject_wish_init_image(wish), IMAGE_LETTERS, 255) ||
	    !is_of(ksr_inject_wish_sidecar_image(wish), IMAGE_LETTERS, 255))
		return "an image's name is like registry/name:tag";
	if (ksr_inject_wish_way(wish) == KSR_INJECT_BY_FOLDER && !is_folder(wish->from))
		return "the library comes from a " KSR_INJECT_WAYS;
	if (wish->seccomp && !is_of(wish->seccomp, NAME_LETTERS "/", 255))
		return "the seccomp profile is a path below the node's folder of profiles";
	if (wish->token_secret && !is_of(wish->token_secret, SECRET_LETTERS, 253))
		return "the token's secret has a name of small letters, digits, dots and dashes";
	return NULL;
}

char *ksr_inject_wish_options(const struct ksr_inject_wish *wish, const char *group)
{
	char *text = NULL;
	int length;

	if (wish->no_share)
		length = asprintf(&text, "--group=%s", group);
	else
		length = asprintf(&text, "--share --group=%s --profile=%s --quiet", group, wish->profile ? wish->profile : "auto");
	return length < 0 ? NULL : text;
}

enum ksr_inject_way ksr_inject_wish_way(const struct ksr_inject_wish *wish)
{
	static const char *const words[] = {
		[KSR_INJECT_BY_VOLUME] = "volume", [KSR_INJECT_BY_IMAGE] = "image", [KSR_INJECT_BY_PREPARED] = "prepared"};

	if (!wish->from)
		return KSR_INJECT_BY_VOLUME;
	for (size_t i = 0; i < KSM_COUNT_OF(words); i++) {
		if (words[i] && strcmp(wish->from, words[i]) == 0)
			return (enum ksr_inject_way)i;
	}
	/* What is none of the words is a folder, or a mistake. */
	return KSR_INJECT_BY_FOLDER;
}

const char *ksr_inject_wish_init_image(const struct ksr_inject_wish *wish)
{
	return wish->init_image ? wish->init_image : "ksmalloc-init:" KSMALLOC_VERSION;
}

const char *ksr_inject_wish_sidecar_image(const struct ksr_inject_wish *wish)
{
	return wish->sidecar_image ? wish->sidecar_image : "ksmalloc-sidecar:" KSMALLOC_VERSION;
}

static bool is_small(char letter)
{
	return letter && strchr(SMALL_LETTERS, letter);
}

/* A claim of Kubernetes' has a name as of a host: small letters, digits, dashes, and dots between two of the first. */
static void make_host_name(char *name)
{
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	for (char *at = name; *at; at++) {
		bool may_stay = is_small(*at) || (*at == '.' && at > name && is_small(at[-1]) && is_small(at[1]));

		if (!may_stay)
			*at = at > name ? '-' : 'x';
	}
}

/* FNV-1a: it tells names apart that nobody has chosen so that they are hard to tell apart. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

void ksr_inject_wish_volume(const struct ksr_inject_wish *wish, char name[KSR_INJECT_VOLUME_NAME])
{
	static const char ours[] = KSR_INJECT_INIT ":";
	const char *image = ksr_inject_wish_init_image(wish);
	const char *slash = strrchr(image, '/');
	const char *last = slash ? slash + 1 : image;
	size_t length;

	snprintf(name, KSR_INJECT_VOLUME_NAME, "%.*s", KSR_INJECT_VOLUME_LETTERS, *last ? last : KSR_INJECT_INIT);
	make_host_name(name);
	length = strlen(name);
	/* A tag that is as it was says all; in any other name something was left out that may be the only difference from another one. */
	if (!slash && strncmp(image, ours, strlen(ours)) == 0 && strcmp(name + strlen(ours), image + strlen(ours)) == 0 && is_small(name[length - 1]))
		return;
	snprintf(name + length, KSR_INJECT_VOLUME_NAME - length, "-%08x", hash_of(image));
}

bool ksr_inject_wish_means(const struct ksr_inject_wish *wish, const char *container)
{
	for (size_t i = 0; i < wish->container_count; i++) {
		if (strcmp(wish->containers[i], container) == 0)
			return true;
	}
	return wish->container_count == 0;
}

bool ksr_inject_is_folder(const char *text, const char *ends)
{
	const char *behind = text + strlen(KSR_INJECT_FOLDER);

	if (strncmp(text, KSR_INJECT_FOLDER, strlen(KSR_INJECT_FOLDER)) != 0)
		return false;
	behind += strspn(behind, "/");
	return !*behind || strchr(ends, *behind);
}

bool ksr_inject_mounts_folder(const char *text, const char *ends)
{
	/* A source may have colons, as ${FROM:-/srv} has. */
	for (const char *at = strchr(text, ':'); at; at = strchr(at + 1, ':')) {
		if (ksr_inject_is_folder(at + 1, ":"))
			return true;
	}
	return ksr_inject_is_folder(text, ends);
}

void ksr_inject_name_group(const char *name, char group[64])
{
	snprintf(group, 64, "%.63s", name);
	for (char *at = group; *at; at++) {
		if (!strchr(NAME_LETTERS, *at))
			*at = '-';
	}
	/* What generates names puts something behind a dash. */
	for (size_t length = strlen(group); length > 1 && group[length - 1] == '-'; length--)
		group[length - 1] = '\0';
	if (group[0] == '-')
		group[0] = '_';
}

char *ksr_inject_preload_add(const char *old)
{
	char *text = NULL;

	if (!old || !old[0])
		return strdup(KSR_INJECT_PRELOAD);
	if (strncmp(old, KSR_INJECT_PRELOAD, strlen(KSR_INJECT_PRELOAD)) == 0)
		return strdup(old);
	return asprintf(&text, KSR_INJECT_PRELOAD ":%s", old) < 0 ? NULL : text;
}

char *ksr_inject_preload_remove(const char *now)
{
	size_t ours = strlen(KSR_INJECT_PRELOAD);

	if (strncmp(now, KSR_INJECT_PRELOAD, ours) != 0 || (now[ours] && now[ours] != ':'))
		return strdup(now);
	return strdup(now + ours + (now[ours] == ':'));
}
