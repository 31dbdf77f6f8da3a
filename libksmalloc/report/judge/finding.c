/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "judge/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ksr_find(struct ksr_findings *findings, enum ksr_level level, const char *key,
	      const char *advice, const char *format, ...)
{
	struct ksr_finding *larger =
		reallocarray(findings->list, findings->count + 1, sizeof(*larger));
	char *text = NULL;
	char *copy = strdup(advice);
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (larger)
		findings->list = larger;
	if (!larger || !copy || length < 0) {
		findings->lost++;
		free(copy);
		if (length >= 0)
			free(text);
		return;
	}
	larger[findings->count++] = (struct ksr_finding){level, key, text, copy};
}

void ksr_find_why(struct ksr_findings *findings, enum ksr_level level, const char *key, pid_t pid,
		  const char *why, const char *advice)
{
	const char *semicolon = strstr(why, "; ");
	int length = (int)(semicolon ? semicolon - why : (ptrdiff_t)strlen(why));

	ksr_find(findings, level, key, semicolon ? semicolon + 2 : advice, "process %d: %.*s",
		 (int)pid, length, why);
}

void ksr_findings_lower(struct ksr_findings *findings, const char *key, enum ksr_level most)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct ksr_finding *finding = &findings->list[i];

		if (strcmp(finding->key, key) == 0)
			finding->level = ksm_min(finding->level, most);
	}
}

void ksr_findings_free(struct ksr_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->list[i].text);
		free(findings->list[i].advice);
	}
	free(findings->list);
}
