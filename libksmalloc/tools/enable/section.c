/* SPDX-License-Identifier: BSD-2-Clause */
#include "enable/section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enable/unit_text.h"
#include "profile_name.h"
#include "seed_file.h"

void ksr_section_name_group(const char *unit, char group[64])
{
	size_t length = strlen(unit) - strlen(".service");

	if (length > 1 && unit[length - 1] == '@')
		length--;
	snprintf(group, 64, "%.*s", (int)length, unit);
	for (char *at = group; *at; at++) {
		if (strchr("@:\\", *at))
			*at = '-';
	}
}

int ksr_section_boolean(const char *value)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1", "n", "y", "f", "t"};

	for (int i = 0; i < (int)KSM_COUNT_OF(words); i++) {
		if (strcasecmp(value, words[i]) == 0)
			return i % 2;
	}
	return -1;
}

/* They stand in a command later. */
static int take_name(char name[64], const struct ksr_unit_text *reader, char *why, size_t bytes)
{
	if (reader->value[0] && !ksr_seed_group_is_good(reader->value)) {
		snprintf(why, bytes, "[" KSR_SECTION "] has %s=%.80s; give up to 63 letters, digits, '.', '-' and '_'", reader->name,
			 reader->value);
		return -EINVAL;
	}
	snprintf(name, 64, "%s", reader->value);
	return 0;
}

static int take(struct ksr_section *section, int *share, const struct ksr_unit_text *reader, char *why, size_t bytes)
{
	section->shares = true;
	if (strcmp(reader->name, "Group") == 0)
		return take_name(section->group, reader, why, bytes);
	if (strcmp(reader->name, "Profile") == 0 && reader->value[0] && !ksr_profile_name_is_known(reader->value)) {
		snprintf(why, bytes, "[" KSR_SECTION "] has Profile=%.40s; give %s", reader->value, ksr_profile_names());
		return -EINVAL;
	}
	if (strcmp(reader->name, "Profile") == 0)
		return take_name(section->profile, reader, why, bytes);
	if (strcmp(reader->name, "Share") != 0) {
		snprintf(why, bytes, "[" KSR_SECTION "] has %.40s=; it takes Group=, Profile= and Share=", reader->name);
		return -EINVAL;
	}
	*share = reader->value[0] ? ksr_section_boolean(reader->value) : 1;
	if (*share < 0) {
		snprintf(why, bytes, "[" KSR_SECTION "] has Share=%.40s; give yes or no", reader->value);
		return -EINVAL;
	}
	return 0;
}

int ksr_section_read(const struct ksr_text *files, const char *unit, struct ksr_section *section, char *why, size_t bytes)
{
	struct ksr_unit_text *reader = calloc(1, sizeof(*reader));
	int share = 1;
	int error = reader ? 1 : -ENOMEM;

	*section = (struct ksr_section){.shares = false};
	while (error > 0) {
		error = ksr_unit_text_next(reader, files);
		if (error > 0 && strcmp(reader->section, KSR_SECTION) == 0) {
			int wrong = take(section, &share, reader, why, bytes);

			error = wrong ? wrong : error;
		}
	}
	free(reader);
	section->shares = section->shares && share;
	if (!section->group[0])
		ksr_section_name_group(unit, section->group);
	if (!section->profile[0])
		snprintf(section->profile, sizeof(section->profile), "auto");
	return error;
}
