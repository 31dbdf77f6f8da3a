/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patterns are kept as pieces of the option's text. A function pattern becomes
 * address ranges of each module the first time a frame of that module is
 * looked at, so that a site costs comparisons only.
 */
#include "policy.h"

#include "fatal.h"
#include "meta.h"
#include "option.h"
#include "symtab.h"

#include <ksmalloc/segment.h>
#include <pthread.h>
#include <string.h>

enum kind {
	FUNCTION,
	MODULE,
	LABEL,
	RANGE,
};

struct pattern {
	enum kind kind;
	bool deny;
	const char *glob;	/* not terminated */
	uint32_t length;
	uint8_t build_id[KSMALLOC_BUILD_ID_BYTES];	/* of a range */
	uint32_t build_id_bytes;
	uint64_t low;
	uint64_t high;
};

/* What a function pattern means in one module. LIFO list. */
struct function_range {
	struct function_range *next;
	uint64_t low;
	uint64_t high;
	bool deny;
};

#define MAX_PATTERNS 256

static struct {
	pthread_mutex_t lock;	/* Protects ranges and resolved. */
	struct pattern *patterns;	/* Synchronization: constant after init. */
	uint32_t count;
	bool has_functions;
	bool has_allow;
	struct function_range *ranges[KSMALLOC_MAX_MODULES];
	bool resolved[KSMALLOC_MAX_MODULES];
} policy = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool ksm_policy_glob(const char *glob, size_t glob_length, const char *text)
{
	const char *end = glob + glob_length;
	const char *star = NULL;
	const char *resume = NULL;

	while (*text) {
		if (glob < end && *glob == '*') {
			star = ++glob;
			resume = text;
		} else if (glob < end && (*glob == '?' || *glob == *text)) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (glob < end && *glob == '*')
		glob++;
	return glob == end;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads hexadecimal digits up to stop or the end; false if there are none or others. */
static bool parse_hex(const char **text, const char *end, char stop, uint64_t *value)
{
	const char *at = *text;

	*value = 0;
	for (; at < end && *at != stop; at++) {
		if (hex_digit(*at) < 0 || *value >> 60)
			return false;
		*value = *value << 4 | (uint64_t)hex_digit(*at);
	}
	if (at == *text)
		return false;
	*text = at < end ? at + 1 : at;
	return true;
}

/* BUILDID:LOW-HIGH */
static bool parse_range(struct pattern *pattern)
{
	const char *at = pattern->glob;
	const char *end = at + pattern->length;

	while (at + 1 < end && *at != ':') {
		if (hex_digit(at[0]) < 0 || hex_digit(at[1]) < 0 ||
		    pattern->build_id_bytes == KSMALLOC_BUILD_ID_BYTES)
			return false;
		pattern->build_id[pattern->build_id_bytes++] =
			(uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
		at += 2;
	}
	if (at >= end || *at != ':')
		return false;
	at++;
	return parse_hex(&at, end, '-', &pattern->low) && parse_hex(&at, end, '\0', &pattern->high);
}

static bool parse_pattern(struct pattern *pattern, const char *text, size_t length)
{
	static const struct {
		const char *prefix;
		enum kind kind;
	} kinds[] = { { "function:", FUNCTION }, { "module:", MODULE },
		      { "label:", LABEL },	 { "range:", RANGE } };

	pattern->kind = FUNCTION;
	for (size_t i = 0; i < KSM_COUNT_OF(kinds); i++) {
		size_t prefix = strlen(kinds[i].prefix);

		if (length > prefix && memcmp(text, kinds[i].prefix, prefix) == 0) {
			pattern->kind = kinds[i].kind;
			text += prefix;
			length -= prefix;
			break;
		}
	}
	pattern->glob = text;
	pattern->length = (uint32_t)length;
	if (pattern->kind == RANGE)
		return parse_range(pattern);
	return length > 0 && !memchr(text, ':', length);
}

static void parse_list(const char *list, bool deny)
{
	while (*list) {
		size_t length = strcspn(list, ",");
		struct pattern pattern = { .deny = deny };

		if (length && policy.count < MAX_PATTERNS &&
		    parse_pattern(&pattern, list, length)) {
			policy.patterns[policy.count++] = pattern;
			policy.has_functions |= pattern.kind == FUNCTION;
			policy.has_allow |= !deny;
		} else if (length) {
			ksm_warn("%s: cannot use the pattern \"%.*s\", ignored",
				 deny ? "KSMALLOC_DENY" : "KSMALLOC_ALLOW", (int)length, list);
			/* An allow list with a mistake in it must not turn into "all". */
			policy.has_allow |= !deny;
		}
		list += length;
		list += *list == ',';
	}
}

void ksm_policy_init(void)
{
	if (!ksm_options.allow[0] && !ksm_options.deny[0])
		return;
	policy.patterns = ksm_meta_alloc(MAX_PATTERNS * sizeof(struct pattern));
	if (!policy.patterns) {
		policy.has_allow = true;
		return;
	}
	parse_list(ksm_options.allow, false);
	parse_list(ksm_options.deny, true);
}

struct function_search {
	uint32_t module;
};

static void note_function(const char *name, uint64_t low, uint64_t high, void *argument)
{
	const struct function_search *search = argument;

	for (uint32_t i = 0; i < policy.count; i++) {
		const struct pattern *pattern = &policy.patterns[i];
		struct function_range *range;

		if (pattern->kind != FUNCTION ||
		    !ksm_policy_glob(pattern->glob, pattern->length, name))
			continue;
		range = ksm_meta_alloc(sizeof(*range));
		if (!range)
			return;
		range->low = low;
		range->high = high;
		range->deny = pattern->deny;
		range->next = policy.ranges[search->module];
		policy.ranges[search->module] = range;
	}
}

/* Reports whether the frame lies in a function that an allow or a deny pattern names. */
static void match_functions(const struct ksm_module_address *frame, bool *allowed, bool *denied)
{
	uint64_t call = frame->offset - 1; /* a return address may be the next function's first */

	pthread_mutex_lock(&policy.lock);
	if (!policy.resolved[frame->module]) {
		struct function_search search = { .module = frame->module };

		policy.resolved[frame->module] = true;
		ksm_symtab_each_function(ksm_module_path(frame->module), note_function, &search);
	}
	for (const struct function_range *range = policy.ranges[frame->module]; range;
	     range = range->next) {
		if (call >= range->low && call < range->high) {
			*denied |= range->deny;
			*allowed |= !range->deny;
		}
	}
	pthread_mutex_unlock(&policy.lock);
}

static bool matches_frame(const struct pattern *pattern, const struct ksm_module_address *frame)
{
	const char *path = ksm_module_path(frame->module);
	const char *slash = strrchr(path, '/');
	const uint8_t *identity;
	size_t length;

	if (pattern->kind == MODULE)
		return ksm_policy_glob(pattern->glob, pattern->length, slash ? slash + 1 : path);
	if (pattern->kind != RANGE)
		return false;
	length = ksm_module_identity(frame->module, &identity);
	return length == pattern->build_id_bytes &&
	       memcmp(identity, pattern->build_id, length) == 0 &&
	       frame->offset - 1 >= pattern->low && frame->offset - 1 < pattern->high;
}

bool ksm_policy_advises_frames(const struct ksm_module_address *frames, uint32_t count)
{
	bool allowed = !policy.has_allow;
	bool denied = ksm_options.advise == KSM_ADVISE_NONE;

	for (uint32_t f = 0; f < count && !denied; f++) {
		for (uint32_t i = 0; i < policy.count; i++) {
			if (!matches_frame(&policy.patterns[i], &frames[f]))
				continue;
			denied |= policy.patterns[i].deny;
			allowed |= !policy.patterns[i].deny;
		}
		if (policy.has_functions)
			match_functions(&frames[f], &allowed, &denied);
	}
	return allowed && !denied;
}

bool ksm_policy_advises_label(const char *name)
{
	bool allowed = !policy.has_allow;
	bool denied = ksm_options.advise == KSM_ADVISE_NONE;

	for (uint32_t i = 0; i < policy.count; i++) {
		const struct pattern *pattern = &policy.patterns[i];

		if (pattern->kind != LABEL ||
		    !ksm_policy_glob(pattern->glob, pattern->length, name))
			continue;
		denied |= pattern->deny;
		allowed |= !pattern->deny;
	}
	return allowed && !denied;
}

void ksm_policy_prefork(void)
{
	pthread_mutex_lock(&policy.lock);
}

void ksm_policy_postfork_parent(void)
{
	pthread_mutex_unlock(&policy.lock);
}

void ksm_policy_postfork_child(void)
{
	pthread_mutex_init(&policy.lock, NULL);
}
