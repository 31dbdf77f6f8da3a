/* SPDX-License-Identifier: BSD-2-Clause */
#include "read/number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool ksr_number_after(const char *text, const char *end, uint64_t *value)
{
	uint64_t sum = 0;

	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	if (text == end || !isdigit((unsigned char)*text))
		return false;
	for (; text < end && isdigit((unsigned char)*text); text++) {
		if (sum > (UINT64_MAX - 9) / 10)
			return false;
		sum = sum * 10 + (uint64_t)(*text - '0');
	}
	*value = sum;
	return true;
}

uint64_t ksr_number_labelled(const struct ksr_text *text, const char *label)
{
	size_t label_bytes = strlen(label);
	uint64_t value = KSR_NONE;
	size_t position = 0;
	const char *line;
	size_t bytes;

	while (ksr_text_line(text, &position, &line, &bytes)) {
		const char *rest = line + label_bytes;

		if (bytes <= label_bytes || memcmp(line, label, label_bytes) != 0)
			continue;
		if (*rest != ' ' && *rest != ':' && *rest != '\t')
			continue;
		if (ksr_number_after(rest + (*rest == ':'), line + bytes, &value))
			break;
	}
	return value;
}

void ksr_chosen_word(const char *text, char *word, size_t bytes)
{
	const char *open = strchr(text, '[');
	const char *close = open ? strchr(open, ']') : NULL;

	if (open && close)
		snprintf(word, bytes, "%.*s", (int)(close - open - 1), open + 1);
	else
		word[0] = '\0';
}
