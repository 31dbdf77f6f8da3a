/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The environment is walked once, and each KSMALLOC_ variable looked up in the
 * table, so that a misspelt one is noticed. Texts stay where the environment
 * has them, or in a copy out of KSMALLOC_CONF in the library's own memory.
 */
#include "system/option.h"

#include "system/fatal.h"
#include "system/meta.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Texts lie in the rows: pointers to them would be written to by the loader in each process. */
struct option {
	char name[16];
	enum ksm_option_type type;
	uint64_t initial;
	uint64_t least;
	uint64_t most;
	char unit[32];
	char help[128];
	size_t offset; /* of the value in struct ksm_options */
};

#define OPTION_ROW(name, type, initial, least, most, unit, help) \
	{ #name, KSM_OPTION_##type, initial, least, most, unit, help, \
	  offsetof(struct ksm_options, name) },

static const struct option options[] = { KSM_OPTIONS(OPTION_ROW) };

#define OPTION_INITIAL_SIZE(name, initial)   .name = (initial),
#define OPTION_INITIAL_NUMBER(name, initial) .name = (initial),
#define OPTION_INITIAL_FLAG(name, initial)   .name = (initial),
#define OPTION_INITIAL_CHOICE(name, initial) .name = (initial),
#define OPTION_INITIAL_TEXT(name, initial)   .name = "",
#define OPTION_INITIAL_NAME(name, initial)   .name = "",
#define OPTION_INITIAL(name, type, initial, ...) OPTION_INITIAL_##type(name, initial)

struct ksm_options ksm_options = { KSM_OPTIONS(OPTION_INITIAL) };

/* Names that other parts of the project read; the library leaves them alone. */
static const char *const foreign_names[] = { "conf", "cache", "start" };

static const char variable_prefix[] = "KSMALLOC_";

int ksm_option_parse_size(const char *text, size_t length, uint64_t *value)
{
	uint64_t number = 0;
	unsigned int shift = 0;
	size_t i = 0;

	for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return -ERANGE;
	}
	if (i == 0)
		return -EINVAL;
	if (i < length) {
		switch (text[i++] | 0x20) {
		case 'k':
			shift = 10;
			break;
		case 'm':
			shift = 20;
			break;
		case 'g':
			shift = 30;
			break;
		default:
			return -EINVAL;
		}
	}
	if (i != length)
		return -EINVAL;
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*value = number << shift;
	return 0;
}

/* Finds a word in a list separated by |; its index, or -EINVAL. */
static int parse_choice(const char *list, const char *text, size_t length, uint64_t *value)
{
	uint64_t index = 0;

	for (const char *word = list; *word; index++) {
		size_t width = strcspn(word, "|");

		if (width == length && memcmp(word, text, length) == 0) {
			*value = index;
			return 0;
		}
		word += width;
		word += *word == '|';
	}
	return -EINVAL;
}

/* Keeps text: in place if it is terminated there, else as a copy. */
static int set_text(const struct option *option, const char *text, size_t length)
{
	const char **field = (const char **)((char *)&ksm_options + option->offset);
	char *copy;

	if (option->most && length > option->most)
		return -ERANGE;
	if (text[length] == '\0') {
		*field = text;
		return 0;
	}
	copy = ksm_meta_alloc(length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	*field = copy;
	return 0;
}

/* Commands ask for what has such a name; others would be found by none. */
static bool is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool is_letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
		bool is_digit = text[i] >= '0' && text[i] <= '9';

		if (!is_letter && !is_digit && text[i] != '.' && text[i] != '_' && text[i] != '-')
			return false;
	}
	return true;
}

static int set_value(const struct option *option, const char *text, size_t length)
{
	uint64_t value = 0;
	int error;

	switch (option->type) {
	case KSM_OPTION_NAME:
		if (!is_name(text, length))
			return -EINVAL;
		return set_text(option, text, length);
	case KSM_OPTION_TEXT:
		return set_text(option, text, length);
	case KSM_OPTION_CHOICE:
		error = parse_choice(option->unit, text, length, &value);
		break;
	case KSM_OPTION_SIZE:
		error = ksm_option_parse_size(text, length, &value);
		break;
	default:
		error = ksm_option_parse_size(text, length, &value);
		if (!error && length && (text[length - 1] < '0' || text[length - 1] > '9'))
			error = -EINVAL;
		break;
	}
	if (!error && option->type != KSM_OPTION_CHOICE &&
	    (value < option->least || value > option->most))
		error = -ERANGE;
	if (!error)
		*(uint64_t *)((char *)&ksm_options + option->offset) = value;
	return error;
}

/* Compares without regard to case: variables are in capitals, KSMALLOC_CONF is not. */
static bool same_name(const char *name, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];

		if (name[i] != c)
			return false;
	}
	return name[length] == '\0';
}

static bool is_foreign(const char *name, size_t length)
{
	for (size_t i = 0; i < KSM_COUNT_OF(foreign_names); i++) {
		if (same_name(foreign_names[i], name, length))
			return true;
	}
	return false;
}

/* An option as it was written, which the warnings repeat. */
struct written {
	const char *prefix;
	const char *name;
	size_t name_length;
	const char *text;
	size_t length;
};

static void complain(const struct option *option, const struct written *written, int error)
{
	bool is_text = option->type == KSM_OPTION_TEXT || option->type == KSM_OPTION_NAME;
	const char *prefix = written->prefix;
	int width = (int)written->name_length;

	if (is_text && error == -ERANGE)
		ksm_warn("%s%.*s: longer than %llu characters, ignored", prefix, width, written->name,
			 (unsigned long long)option->most);
	else if (is_text)
		ksm_warn("%s%.*s: a name has letters, digits, '.', '_' and '-' only, ignored", prefix,
			 width, written->name);
	else if (error == -ERANGE)
		ksm_warn("%s%.*s: %.*s is not between %llu and %llu, using %llu", prefix, width,
			 written->name, (int)written->length, written->text,
			 (unsigned long long)option->least, (unsigned long long)option->most,
			 (unsigned long long)option->initial);
	else
		ksm_warn("%s%.*s: cannot read \"%.*s\" as %s%s, using the default", prefix, width,
			 written->name, (int)written->length, written->text,
			 option->type == KSM_OPTION_CHOICE ? "one of " : "a number of ",
			 option->unit[0] ? option->unit : "0 or 1");
}

static void set(const struct written *written)
{
	for (size_t i = 0; i < KSM_COUNT_OF(options); i++) {
		int error;

		if (!same_name(options[i].name, written->name, written->name_length))
			continue;
		error = set_value(&options[i], written->text, written->length);
		/* Without memory for a copy of the text the default is used silently. */
		if (error && error != -ENOMEM)
			complain(&options[i], written, error);
		return;
	}
	if (!is_foreign(written->name, written->name_length))
		ksm_warn("%s%.*s: there is no option of this name", written->prefix,
			 (int)written->name_length, written->name);
}

/* Splits "name:value,name:value"; a value ends at the next comma. */
static void set_list(const char *list)
{
	while (*list) {
		size_t length = strcspn(list, ",");
		const char *colon = memchr(list, ':', length);

		if (colon)
			set(&(struct written){ "KSMALLOC_CONF: ", list, (size_t)(colon - list), colon + 1,
					       length - (size_t)(colon - list) - 1 });
		else if (length)
			ksm_warn("KSMALLOC_CONF: \"%.*s\" is not name:value", (int)length, list);
		list += length;
		list += *list == ',';
	}
}

_Noreturn KSM_COLD static void dump(void)
{
	static const char type_names[][8] = { "size", "number", "flag", "choice", "text",
						 "name" };

	for (size_t i = 0; i < KSM_COUNT_OF(options); i++) {
		const struct option *option = &options[i];
		size_t length = strlen(option->name);
		char line[1024];
		char name[64];

		for (size_t c = 0; c <= length; c++)
			name[c] = option->name[c] >= 'a' ? (char)(option->name[c] & ~0x20) :
							   option->name[c];
		length = (size_t)snprintf(line, sizeof(line), "%s%s\t%s\t%llu\t%llu\t%llu\t%s\t%s\n",
					  variable_prefix, name, type_names[option->type],
					  (unsigned long long)option->initial,
					  (unsigned long long)option->least,
					  (unsigned long long)option->most, option->unit,
					  option->help);
		ksm_os_write(STDOUT_FILENO, line, ksm_min(length, sizeof(line) - 1), -1);
	}
	_exit(0);
}

void ksm_option_init(char *const *environment)
{
	static const char list_name[] = "KSMALLOC_CONF=";
	const size_t prefix = sizeof(variable_prefix) - 1;

	if (!environment || ksm_os_is_secure())
		return;
	for (char *const *entry = environment; *entry; entry++) {
		if (strncmp(*entry, list_name, sizeof(list_name) - 1) == 0)
			set_list(*entry + sizeof(list_name) - 1);
	}
	for (char *const *entry = environment; *entry; entry++) {
		const char *equals;

		if ((*entry)[0] != 'K' || strncmp(*entry, variable_prefix, prefix) != 0)
			continue;
		equals = strchr(*entry, '=');
		if (equals)
			set(&(struct written){ variable_prefix, *entry + prefix,
					       (size_t)(equals - *entry) - prefix, equals + 1,
					       strlen(equals + 1) });
	}
	if (ksm_options.dump_options)
		dump();
}
