/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "names/naming.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names of functions ------------------------------------------------------------- */

/* Rust's older mangling writes such signs as words. */
static const struct {
	const char *word;
	const char *sign;
} rust_signs[] = {
	{"$LT$", "<"}, {"$GT$", ">"}, {"$RF$", "&"}, {"$BP$", "*"}, {"$C$", ","}, {"$LP$", "("}, {"$RP$", ")"},
	{"$u20$", " "}, {"$u27$", "'"}, {"$u5b$", "["}, {"$u5d$", "]"}, {"$u7b$", "{"}, {"$u7d$", "}"}, {"$u7e$", "~"},
	{"..", "::"},
};

static void decode_rust(char *name)
{
	char *to = name;

	if (!strchr(name, '$'))
		return;
	/* A name that would begin with a sign begins with a line below it. */
	if (strncmp(name, "_$", 2) == 0)
		name++;
	for (const char *from = name; *from;) {
		size_t i = 0;

		while (i < KSM_COUNT_OF(rust_signs) &&
		       strncmp(from, rust_signs[i].word, strlen(rust_signs[i].word)) != 0)
			i++;
		if (i == KSM_COUNT_OF(rust_signs)) {
			*to++ = *from++;
			continue;
		}
		/* No sign is longer than its word. */
		to = (char *)memcpy(to, rust_signs[i].sign, strlen(rust_signs[i].sign)) + strlen(rust_signs[i].sign);
		from += strlen(rust_signs[i].word);
	}
	*to = '\0';
}

/* Drops "::h0123456789abcdef" from the end. */
static void drop_hash(char *name)
{
	size_t bytes = strlen(name);
	char *hash = name + bytes - 16;

	if (bytes < 20 || strncmp(hash - 3, "::h", 3) != 0)
		return;
	for (size_t i = 0; i < 16; i++) {
		if (!isxdigit((unsigned char)hash[i]) || isupper((unsigned char)hash[i]))
			return;
	}
	hash[-3] = '\0';
}

/* The signs of an operator, which are no brackets: operator<, operator->, operator(). */
static size_t operator_bytes(const char *text)
{
	static const char *const signs[] = {"<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "()", "<", ">"};
	size_t word = strlen("operator");

	if (strncmp(text, "operator", word) != 0)
		return 0;
	for (size_t i = 0; i < KSM_COUNT_OF(signs); i++) {
		if (strncmp(text + word, signs[i], strlen(signs[i])) == 0)
			return word + strlen(signs[i]);
	}
	return 0;
}

/* The end of what is in brackets from here on, behind the closing one. */
static const char *behind(const char *text, char open, char close)
{
	size_t depth = 0;

	for (; *text; text++) {
		if (*text == '-' && text[1] == '>') {
			text++;
			continue;
		}
		depth += *text == open;
		if (*text == close && --depth == 0)
			return text + 1;
	}
	return text;
}

/* "<T as Trait>::f" begins with the type that it is of: T::f. Puts the type; returns what is behind. */
static const char *put_type(FILE *stream, const char *text)
{
	const char *end = behind(text, '<', '>');
	const char *type = text + 1;
	size_t bytes;

	type += strspn(type, "&*<( ");
	bytes = strcspn(type, "<> ,");
	fprintf(stream, "%.*s", (int)ksm_min(bytes, (size_t)(end - type)), type);
	return end;
}

/* Is this bracket the beginning of parameters, and not of "(anonymous namespace)"? */
static bool are_parameters(const char *text)
{
	return strncmp(text, "(anonymous namespace)", strlen("(anonymous namespace)")) != 0;
}

static void put_short(FILE *stream, const char *name)
{
	const char *at = name;
	size_t braces = 0;

	if (*at == '<')
		at = put_type(stream, at);
	while (*at) {
		size_t sign = operator_bytes(at);

		if (sign) {
			fwrite(at, 1, sign, stream);
			at += sign;
			at += strspn(at, " ");
		} else if (*at == '<') {
			at = behind(at, '<', '>');
		} else if (*at == '(' && are_parameters(at)) {
			at = behind(at, '(', ')');
			/* What follows parameters is "const", or what was defined in the function: f()::g. */
			if (strncmp(at, "::", 2) != 0 && braces == 0)
				break;
		} else if (strncmp(at, "[abi:", 5) == 0) {
			at = behind(at, '[', ']');
		} else {
			braces += *at == '{';
			braces -= *at == '}' && braces;
			fputc(*at++, stream);
		}
	}
}

/* "int* f<int>(int)" has its type before it, when it is a template; names of Rust's and C have no blanks. */
static const char *without_type(const char *name)
{
	size_t depth = 0;
	const char *begin = name;

	for (const char *at = name; *at; at++) {
		if (strncmp(at, "operator", 8) == 0 || (*at == '(' && depth == 0 && are_parameters(at)))
			break;
		if (strncmp(at, "(anonymous namespace)", 21) == 0) {
			at += 20;
			continue;
		}
		depth += *at == '<';
		depth -= *at == '>' && depth;
		if (*at == ' ' && depth == 0)
			begin = at + 1;
	}
	return begin[0] ? begin : name;
}

/* Colons that stand twice where something between them was dropped. */
static void join_colons(char *name)
{
	char *found;

	while ((found = strstr(name, "::::")))
		memmove(found, found + 2, strlen(found + 2) + 1);
}

char *ksr_name_shorten(const char *function)
{
	/* What is longer is cut anyway, and brackets are searched for from each place. */
	char *name = strndup(function, 16 * KSR_NAME_BYTES);
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream;

	if (!name)
		return NULL;
	decode_rust(name);
	drop_hash(name);
	stream = strpbrk(name, "<([") && !strchr(name, '+') ? open_memstream(&text, &bytes) : NULL;
	if (stream) {
		put_short(stream, name[0] == '<' ? name : without_type(name));
		if (fclose(stream) || !text[0]) {
			free(text);
			text = NULL;
		}
	}
	if (text) {
		free(name);
		name = text;
	}
	join_colons(name);
	if (strlen(name) >= KSR_NAME_BYTES)
		strcpy(name + KSR_NAME_BYTES - 4, "...");
	return name;
}

const char *ksr_language_key(enum ksmalloc_language language)
{
	static const char *const keys[] = {
#define KEY(name, key, words) key,
		KSMALLOC_LANGUAGES(KEY)
#undef KEY
	};

	return keys[language < KSMALLOC_LANGUAGE_COUNT ? language : KSMALLOC_LANGUAGE_SCRIPT];
}

const char *ksr_language_words(enum ksmalloc_language language)
{
	static const char *const names[] = {
#define WORDS(name, key, words) words,
		KSMALLOC_LANGUAGES(WORDS)
#undef WORDS
	};

	return names[language < KSMALLOC_LANGUAGE_COUNT ? language : KSMALLOC_LANGUAGE_SCRIPT];
}

/* --- which line --------------------------------------------------------------------- */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_script(const struct ksr_line *line)
{
	return line->language != KSMALLOC_LANGUAGE_NATIVE;
}

/* Does it belong to a language or a package? Of what has no file the name tells. */
static bool is_package(const struct ksr_machinery *machinery, const struct ksr_line *line)
{
	const char *what;

	if (line->place[0])
		return ksr_machinery_script(machinery, line->place) != 0;
	return ksr_machinery_has(machinery, line->function, line->module, &what);
}

/* The innermost script of the program's own, else the innermost of all; count when there is none. */
static size_t deciding_script(const struct ksr_machinery *machinery, const struct ksr_stack *stack)
{
	size_t first = stack->count;

	for (size_t i = 0; i < stack->count; i++) {
		if (!is_script(&stack->lines[i]))
			continue;
		if (first == stack->count)
			first = i;
		if (!is_package(machinery, &stack->lines[i]))
			return i;
	}
	return first;
}

/* What only an address in a file is known of. */
static bool is_unnamed(const struct ksr_line *line)
{
	size_t bytes = strlen(line->module);

	return strncmp(line->function, line->module, bytes) == 0 && strncmp(line->function + bytes, "+0x", 3) == 0;
}

/* Has the file of this function machinery further out? Then the function, which has no name, is some as well. */
static bool is_within(const struct ksr_machinery *machinery, const struct ksr_stack *stack, size_t at)
{
	const char *what;

	for (size_t i = at + 1; i < stack->count; i++) {
		const struct ksr_line *line = &stack->lines[i];

		if (is_script(line) || strcmp(line->module, stack->lines[at].module) != 0 || is_unnamed(line))
			continue;
		return ksr_machinery_has(machinery, line->function, line->module, &what);
	}
	return false;
}

/* Of machinery that takes memory of a kind, the outermost says most, but "object" is said of all. */
static void take_kind(struct ksr_stack *stack, const char *what)
{
	if (what && (!stack->what || strcmp(stack->what, "object") == 0))
		stack->what = what;
}

/*
 * The innermost function that is no machinery. Where that has no name, and lies in a file that has named machinery, this
 * says more.
 */
static size_t deciding_function(const struct ksr_machinery *machinery, struct ksr_stack *stack)
{
	size_t kind = stack->count;

	for (size_t i = 0; i < stack->count; i++) {
		const struct ksr_line *line = &stack->lines[i];
		const char *what;

		if (is_script(line))
			continue;
		if (ksr_machinery_has(machinery, line->function, line->module, &what)) {
			take_kind(stack, what);
			kind = what ? i : kind;
		} else if (!is_unnamed(line)) {
			return i;
		} else if (kind < stack->count && strcmp(stack->lines[kind].module, line->module) == 0) {
			return kind;
		} else if (!is_within(machinery, stack, i)) {
			return i;
		}
	}
	/* All of it machinery: what takes a kind of memory says most, then the outermost frame. */
	return kind < stack->count ? kind : stack->count ? stack->count - 1 : 0;
}

void ksr_naming_decide(const struct ksr_machinery *machinery, struct ksr_stack *stack)
{
	size_t script = deciding_script(machinery, stack);

	stack->what = NULL;
	stack->deciding = deciding_function(machinery, stack);
	if (script < stack->count)
		stack->deciding = script;
}

/* --- the name ------------------------------------------------------------------------- */

/* "json.decoder" of "json/decoder.py:353", from behind the folder of the language or package. */
static void put_module(FILE *stream, const char *path)
{
	static const char init[] = ".__init__";
	char text[KSR_NAME_BYTES];
	char *end;

	snprintf(text, sizeof(text), "%s", path);
	end = strrchr(text, ':');
	if (end)
		*end = '\0';
	end = strrchr(text, '.');
	if (end && end > strrchr(text, '/'))
		*end = '\0';
	text[strcspn(text, ">")] = '\0';
	for (char *at = text; *at; at++)
		*at = *at == '/' ? '.' : *at;
	if (strlen(text) > strlen(init) && strcmp(text + strlen(text) - strlen(init), init) == 0)
		text[strlen(text) - strlen(init)] = '\0';
	fprintf(stream, "%s.", text);
}

static void put_library(FILE *stream, const struct ksr_machinery *machinery, const struct ksr_line *line)
{
	size_t root = ksr_machinery_script(machinery, line->place);

	if (root)
		put_module(stream, line->place + root);
	fputs(line->function, stream);
}

/* The innermost script before the deciding line: what the program has called. */
static const struct ksr_line *called(const struct ksr_stack *stack)
{
	for (size_t i = 0; i < stack->deciding; i++) {
		if (is_script(&stack->lines[i]))
			return &stack->lines[i];
	}
	return NULL;
}

static void put_where(FILE *stream, const struct ksr_machinery *machinery, const struct ksr_stack *stack)
{
	const struct ksr_line *line = &stack->lines[stack->deciding];
	const struct ksr_line *inner = is_script(line) ? called(stack) : NULL;

	if (is_script(line) && ksr_machinery_script(machinery, line->place))
		put_library(stream, machinery, line);
	else
		fputs(line->function, stream);
	if (line->place[0])
		fprintf(stream, " (%s)", last_component(line->place));
	if (inner) {
		fputs(" > ", stream);
		put_library(stream, machinery, inner);
	}
}

char *ksr_naming_where(const struct ksr_machinery *machinery, const struct ksr_stack *stack)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream;

	if (stack->count == 0)
		return strdup("unknown");
	stream = open_memstream(&text, &bytes);
	if (!stream)
		return NULL;
	put_where(stream, machinery, stack);
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}

char *ksr_naming_name(const struct ksr_stack *stack, const char *where)
{
	const struct ksr_line *caller = stack->deciding + 1 < stack->count ? &stack->lines[stack->deciding + 1] : NULL;
	char *name;

	/* Of a script the caller is one as well, or the interpreter, which says nothing. */
	if (!caller || is_script(&stack->lines[stack->deciding]))
		return strdup(where);
	return asprintf(&name, "%s < %s", where, caller->function) < 0 ? NULL : name;
}
