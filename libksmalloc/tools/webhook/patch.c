/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "webhook/patch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

static int differ(json_t *patch, const char *path, const json_t *before, const json_t *after);

static int add_step(json_t *patch, const char *what, const char *path, const json_t *value)
{
	json_t *step = json_pack("{s:s, s:s}", "op", what, "path", path);

	if (!step)
		return -ENOMEM;
	if (value && json_object_set_new(step, "value", json_deep_copy(value))) {
		json_decref(step);
		return -ENOMEM;
	}
	return json_array_append_new(patch, step) ? -ENOMEM : 0;
}

/* The pointer to a member (RFC 6901): ~ and / have names of their own. */
static char *member_path(const char *path, const char *key)
{
	size_t length = strlen(path);
	char *made = malloc(length + 2 * strlen(key) + 2);
	char *to = made;

	if (!made)
		return NULL;
	to = stpcpy(to, path);
	*to++ = '/';
	for (; *key; key++) {
		if (*key == '~' || *key == '/') {
			*to++ = '~';
			*to++ = *key == '~' ? '0' : '1';
		} else {
			*to++ = *key;
		}
	}
	*to = '\0';
	return made;
}

/* NULL on either side: there is none. */
static int differ_member(json_t *patch, const char *path, const char *key, const json_t *before, const json_t *after)
{
	char *at = member_path(path, key);
	int error = at ? 0 : -ENOMEM;

	if (at && before && after)
		error = differ(patch, at, before, after);
	else if (at)
		error = add_step(patch, after ? "add" : "remove", at, after);
	free(at);
	return error;
}

static int differ_objects(json_t *patch, const char *path, const json_t *before, const json_t *after)
{
	const char *key;
	json_t *value;
	int error = 0;

	json_object_foreach((json_t *)(uintptr_t)before, key, value) {
		if (!error)
			error = differ_member(patch, path, key, value, json_object_get(after, key));
	}
	json_object_foreach((json_t *)(uintptr_t)after, key, value) {
		if (!error && !json_object_get(before, key))
			error = differ_member(patch, path, key, NULL, value);
	}
	return error;
}

/* What is too much goes from the end, so that the places of the others stay true. */
static int differ_lists(json_t *patch, const char *path, const json_t *before, const json_t *after)
{
	size_t had = json_array_size(before);
	size_t has = json_array_size(after);
	char place[24];
	int error = 0;

	for (size_t i = 0; i < has && !error; i++) {
		snprintf(place, sizeof(place), "%zu", i);
		error = differ_member(patch, path, i < had ? place : "-", json_array_get(before, i), json_array_get(after, i));
	}
	for (size_t i = had; i > has && !error; i--) {
		snprintf(place, sizeof(place), "%zu", i - 1);
		error = differ_member(patch, path, place, json_array_get(before, i - 1), NULL);
	}
	return error;
}

static int differ(json_t *patch, const char *path, const json_t *before, const json_t *after)
{
	if (json_is_object(before) && json_is_object(after))
		return differ_objects(patch, path, before, after);
	if (json_is_array(before) && json_is_array(after))
		return differ_lists(patch, path, before, after);
	return json_equal(before, after) ? 0 : add_step(patch, "replace", path, after);
}

json_t *ksr_patch_make(const json_t *before, const json_t *after)
{
	json_t *patch = json_array();

	if (patch && differ(patch, "", before, after)) {
		json_decref(patch);
		return NULL;
	}
	return patch;
}
