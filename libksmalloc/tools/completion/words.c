/* SPDX-License-Identifier: BSD-2-Clause */
#include "completion/words.h"

#include <string.h>

/* "a|b", "a, b or c": the words, each behind one blank but the first. */
static void split(const char *text, char fixed[KSR_WORDS_BYTES])
{
	size_t used = 0;

	while (*text) {
		size_t bytes = strcspn(text, "|, ]");

		if (bytes > 0 && !(bytes == 2 && strncmp(text, "or", 2) == 0) && used + bytes + 2 < KSR_WORDS_BYTES) {
			if (used > 0)
				fixed[used++] = ' ';
			memcpy(fixed + used, text, bytes);
			used += bytes;
		}
		text += bytes;
		text += strspn(text, "|, ]");
	}
	fixed[used] = '\0';
}

static void join_tables(const struct ksr_command *command, char fixed[KSR_WORDS_BYTES])
{
	fixed[0] = '\0';
	for (size_t i = 0; i < command->table_count; i++) {
		size_t used = strlen(fixed);

		snprintf(fixed + used, KSR_WORDS_BYTES - used, "%s%s", used ? " " : "", command->tables[i]);
	}
}

bool ksr_words_are_optional(const struct ksr_option *option)
{
	return option->argument && option->argument[0] == '[';
}

enum ksr_words ksr_words_of_option(const struct ksr_command *command, const struct ksr_option *option,
				   char fixed[KSR_WORDS_BYTES])
{
	const char *argument = option->argument;
	const char *elsewhere = command->values ? command->values(option) : NULL;

	fixed[0] = '\0';
	if (!argument)
		return KSR_WORDS_NONE;
	if (elsewhere || strchr(argument, '|')) {
		split(elsewhere ? elsewhere : argument + (ksr_words_are_optional(option) ? strlen("[=") : 0), fixed);
		return KSR_WORDS_FIXED;
	}
	if (option->kind == KSR_OPTION_TABLE) {
		join_tables(command, fixed);
		return KSR_WORDS_FIXED;
	}
	if (strcmp(option->name, "group") == 0)
		return KSR_WORDS_GROUP;
	if (strcmp(argument, "DIR") == 0)
		return KSR_WORDS_FOLDER;
	if (strcmp(argument, "FILE") == 0 || strcmp(argument, "PATH") == 0)
		return KSR_WORDS_FILE;
	return KSR_WORDS_ANY;
}

enum ksr_words ksr_words_of_arguments(const struct ksr_command *command, char fixed[KSR_WORDS_BYTES])
{
	const char *text = command->arguments;
	bool group = strstr(text, "GROUP");
	bool process = strstr(text, "PID");

	fixed[0] = '\0';
	if (strstr(text, "PROGRAM"))
		return KSR_WORDS_PROGRAM;
	if (strstr(text, "FILE"))
		return KSR_WORDS_FILE;
	if (strstr(text, "UNIT"))
		return KSR_WORDS_UNIT;
	if (group && process)
		return KSR_WORDS_BOTH;
	if (group || process)
		return group ? KSR_WORDS_GROUP : KSR_WORDS_PROCESS;
	if (strchr(text, '|')) {
		split(text, fixed);
		return KSR_WORDS_FIXED;
	}
	return text[0] ? KSR_WORDS_ANY : KSR_WORDS_NONE;
}
