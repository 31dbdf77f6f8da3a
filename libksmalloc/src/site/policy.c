/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patterns are kept as pieces of the option's text. A function pattern becomes
 * address ranges of each module the first time a frame of that module is
 * looked at, so that a site costs comparisons only.
 */
#include "site/policy.h"

#include "system/fatal.h"
#include "system/meta.h"
#include "system/option.h"
#include "site/symtab.h"

#include <ksmalloc/segment.h>
#include <pthread.h>
#include <string.h>

enum kind {
	FUNCTION,
	MODULE,
	LABEL,
	RANGE,
};

enum effect {
	ALLOW,
	DENY,
	PRIORITY,
};

struct pattern {
	enum kind kind;
	enum effect effect;
	uint8_t priority;	/* of PRIORITY */
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
	const struct pattern *pattern;
};

/* What the patterns say that matched so far. */
struct verdict {
	bool allowed;
	bool denied;
	const struct pattern *priority; /* the first in the list, or NULL */
};

#define MAX_PATTERNS  256
#define MOST_PRIORITY 15

static struct {
	pthread_mutex_t lock;	/* Protects ranges and resolved. */
	struct pattern *patterns;	/* Synchronization: constant after init. */
	uint32_t count;
	bool has_functions;
	bool has_allow;
	bool has_deny;
	struct function_range *ranges[KSMALLOC_MAX_MODULES];
	bool resolved[KSMALLOC_MAX_MODULES];
} policy KSM_SPARSE = { .lock = PTHREAD_MUTEX_INITIALIZER };

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
		char prefix[16];
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

/* Takes "=N" off the end of a pattern; false if it has none, or N is no priority. */
static bool parse_priority(struct pattern *pattern, const char *text, size_t *length)
{
	const char *equals = memrchr(text, '=', *length);
	uint64_t value;

	if (!equals)
		return false;
	if (ksm_option_parse_size(equals + 1, *length - (size_t)(equals + 1 - text), &value) != 0 ||
	    value > MOST_PRIORITY)
		return false;
	pattern->priority = (uint8_t)value;
	*length = (size_t)(equals - text);
	return true;
}

static bool add_pattern(const char *text, size_t length, enum effect effect)
{
	struct pattern pattern = { .effect = effect };

	if (policy.count == MAX_PATTERNS ||
	    (effect == PRIORITY && !parse_priority(&pattern, text, &length)) ||
	    !parse_pattern(&pattern, text, length))
		return false;
	policy.patterns[policy.count++] = pattern;
	policy.has_functions |= pattern.kind == FUNCTION;
	return true;
}

static void parse_list(const char *list, const char *option, enum effect effect)
{
	while (*list) {
		size_t length = strcspn(list, ",");

		if (length && !add_pattern(list, length, effect))
			ksm_warn("%s: cannot use the pattern \"%.*s\", ignored", option, (int)length,
				 list);
		/* Also with a mistake: an allow list must not turn into "all" by it. */
		policy.has_allow |= length && effect == ALLOW;
		policy.has_deny |= length && effect == DENY;
		list += length;
		list += *list == ',';
	}
}

void ksm_policy_init(void)
{
	if (!ksm_options.allow[0] && !ksm_options.deny[0] && !ksm_options.hint_priorities[0])
		return;
	policy.patterns = ksm_meta_alloc(MAX_PATTERNS * sizeof(struct pattern));
	if (!policy.patterns) {
		policy.has_allow = ksm_options.allow[0] || ksm_options.deny[0];
		return;
	}
	parse_list(ksm_options.allow, "KSMALLOC_ALLOW", ALLOW);
	parse_list(ksm_options.deny, "KSMALLOC_DENY", DENY);
	parse_list(ksm_options.hint_priorities, "KSMALLOC_HINT_PRIORITIES", PRIORITY);
}

bool ksm_policy_has_patterns(void)
{
	return policy.count > 0;
}

bool ksm_policy_has_denials(void)
{
	return policy.has_deny;
}

static void apply(const struct pattern *pattern, struct verdict *verdict)
{
	verdict->allowed |= pattern->effect == ALLOW;
	verdict->denied |= pattern->effect == DENY;
	if (pattern->effect == PRIORITY && (!verdict->priority || pattern < verdict->priority))
		verdict->priority = pattern;
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
		range->pattern = pattern;
		range->next = policy.ranges[search->module];
		policy.ranges[search->module] = range;
	}
}

/* Applies the patterns that name the function in which the frame lies. */
static void match_functions(const struct ksm_module_address *frame, struct verdict *verdict)
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
		if (call >= range->low && call < range->high)
			apply(range->pattern, verdict);
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

static struct ksm_policy conclude(const struct verdict *verdict, uint64_t priority)
{
	return (struct ksm_policy){
		.advise = (verdict->allowed || !policy.has_allow) && !verdict->denied &&
			  ksm_options.advise != KSM_ADVISE_NONE,
		.denied = verdict->denied,
		.priority = verdict->priority ? verdict->priority->priority : (uint8_t)priority,
	};
}

struct ksm_policy ksm_policy_of_frames(const struct ksm_module_address *frames, uint32_t count)
{
	struct verdict verdict = { 0 };

	for (uint32_t f = 0; f < count; f++) {
		for (uint32_t i = 0; i < policy.count; i++) {
			if (matches_frame(&policy.patterns[i], &frames[f]))
				apply(&policy.patterns[i], &verdict);
		}
		if (policy.has_functions)
			match_functions(&frames[f], &verdict);
	}
	return conclude(&verdict, ksm_options.hint_priority);
}

static struct ksm_policy of_name(const char *name, uint64_t priority)
{
	struct verdict verdict = { 0 };

	for (uint32_t i = 0; i < policy.count; i++) {
		const struct pattern *pattern = &policy.patterns[i];

		if (pattern->kind == LABEL &&
		    ksm_policy_glob(pattern->glob, pattern->length, name))
			apply(pattern, &verdict);
	}
	return conclude(&verdict, priority);
}

struct ksm_policy ksm_policy_of_label(const char *name)
{
	return of_name(name, ksm_options.hint_priority);
}

struct ksm_policy ksm_policy_of_region(const char *name)
{
	/* 0 stays 0: like any other memory. */
	return of_name(name, (ksm_options.hint_priority + 1) / 2);
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
