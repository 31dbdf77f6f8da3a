/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name is a tree in prefix order. What is not said is read all the same, to find where the next part begins, but
 * references to earlier parts are followed only where they are said. The letters are those of Rust's RFC 2603 and of
 * the chapter on mangling in the book of rustc.
 */
#define _GNU_SOURCE
#include "names/rust.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

/* More than any compiler writes: what is deeper, or takes more steps, is no name. */
#define MOST_DEPTH 64u
#define MOST_STEPS 4096u
#define MOST_BYTES 4096u /* of the result: what is longer is cut anyway */

struct reading {
	const char *begin; /* behind "_R": references count from here */
	const char *at;
	const char *end;
	FILE *output;
	size_t said;
	bool is_quiet;
	bool failed;
	unsigned int depth;
	unsigned int steps;
};

static void read_path(struct reading *reading);
static void read_type(struct reading *reading);
static void read_const(struct reading *reading);

/* --- letters and numbers -------------------------------------------------------------- */

static void fail(struct reading *reading)
{
	reading->failed = true;
}

static bool take(struct reading *reading, char letter)
{
	if (reading->failed || *reading->at != letter)
		return false;
	reading->at++;
	return true;
}

static char next(struct reading *reading)
{
	if (reading->failed || *reading->at == '\0') {
		fail(reading);
		return '\0';
	}
	return *reading->at++;
}

static void say(struct reading *reading, const char *text, size_t bytes)
{
	if (reading->failed || reading->is_quiet)
		return;
	bytes = ksm_min(bytes, MOST_BYTES - reading->said);
	reading->said += fwrite(text, 1, bytes, reading->output);
}

static void say_word(struct reading *reading, const char *text)
{
	say(reading, text, strlen(text));
}

static int digit_of(char letter)
{
	if (isdigit((unsigned char)letter))
		return letter - '0';
	if (islower((unsigned char)letter))
		return letter - 'a' + 10;
	return isupper((unsigned char)letter) ? letter - 'A' + 36 : -1;
}

/* "_" is 0, "0_" is 1. */
static uint64_t read_base62(struct reading *reading)
{
	uint64_t value = 0;

	if (take(reading, '_'))
		return 0;
	while (!reading->failed && *reading->at != '_') {
		int digit = digit_of(next(reading));

		if (digit < 0 || value > (UINT64_MAX - 62) / 62)
			fail(reading);
		else
			value = value * 62 + (uint64_t)digit;
	}
	next(reading);
	return value + 1;
}

static void skip_number_behind(struct reading *reading, char letter)
{
	if (take(reading, letter))
		read_base62(reading);
}

/* The text of an identifier, and how long it is; what tells equal ones apart is left out. */
static const char *read_identifier(struct reading *reading, size_t *bytes)
{
	const char *text;

	*bytes = 0;
	skip_number_behind(reading, 's');
	take(reading, 'u');
	if (!isdigit((unsigned char)*reading->at))
		fail(reading);
	while (!reading->failed && isdigit((unsigned char)*reading->at)) {
		*bytes = *bytes * 10 + (size_t)(*reading->at++ - '0');
		if (*bytes > (size_t)(reading->end - reading->at))
			fail(reading);
	}
	take(reading, '_');
	text = reading->at;
	if (*bytes > (size_t)(reading->end - text))
		fail(reading);
	if (!reading->failed)
		reading->at += *bytes;
	return text;
}

/* True if there may be another part below. */
static bool go_down(struct reading *reading)
{
	if (++reading->depth > MOST_DEPTH || ++reading->steps > MOST_STEPS)
		fail(reading);
	return !reading->failed;
}

/* Reads what was written before; only for what is said. */
static void follow(struct reading *reading, void (*read)(struct reading *))
{
	const char *here = reading->at - 1;
	uint64_t place = read_base62(reading);
	const char *after = reading->at;

	if (reading->failed || reading->is_quiet)
		return;
	/* It lies before the reference, so that none leads to itself. */
	if (place >= (uint64_t)(here - reading->begin)) {
		fail(reading);
		return;
	}
	reading->at = reading->begin + place;
	read(reading);
	reading->at = after;
}

static void read_quietly(struct reading *reading, void (*read)(struct reading *))
{
	bool was_quiet = reading->is_quiet;

	reading->is_quiet = true;
	read(reading);
	reading->is_quiet = was_quiet;
}

/* What is repeated until an E. */
static void read_all(struct reading *reading, void (*read)(struct reading *))
{
	while (!reading->failed && !take(reading, 'E'))
		read(reading);
}

/* --- paths ---------------------------------------------------------------------------- */

static void read_argument(struct reading *reading)
{
	if (take(reading, 'L'))
		read_base62(reading);
	else if (take(reading, 'K'))
		read_const(reading);
	else
		read_type(reading);
}

static void skip_argument(struct reading *reading)
{
	read_quietly(reading, read_argument);
}

/* Functions of a type are said to be its own: where that was implemented says more only of types without a name. */
static void read_implementation(struct reading *reading)
{
	const char *place;
	const char *after;

	skip_number_behind(reading, 's');
	place = reading->at;
	read_quietly(reading, read_path);
	if (!reading->failed && strchr("CMXYNIB", *reading->at)) {
		read_type(reading);
		return;
	}
	read_quietly(reading, read_type);
	if (reading->failed || reading->is_quiet)
		return;
	after = reading->at;
	reading->at = place;
	read_path(reading);
	reading->at = after;
}

static void read_nested(struct reading *reading)
{
	char kind = next(reading);
	const char *name;
	size_t bytes;

	read_path(reading);
	name = read_identifier(reading, &bytes);
	if (isupper((unsigned char)kind)) {
		say_word(reading, kind == 'C' ? "::{{closure}}" : kind == 'S' ? "::{{shim}}" : "::{{made}}");
	} else if (bytes) {
		say_word(reading, "::");
		say(reading, name, bytes);
	}
}

static void read_root(struct reading *reading)
{
	size_t bytes;
	const char *name = read_identifier(reading, &bytes);

	say(reading, name, bytes);
}

static void read_path(struct reading *reading)
{
	if (!go_down(reading))
		return;
	switch (next(reading)) {
	case 'C':
		read_root(reading);
		break;
	case 'N':
		read_nested(reading);
		break;
	case 'M':
		read_implementation(reading);
		break;
	case 'X':
		read_implementation(reading);
		read_quietly(reading, read_path);
		break;
	case 'Y':
		read_type(reading);
		read_quietly(reading, read_path);
		break;
	case 'I':
		read_path(reading);
		read_all(reading, skip_argument);
		break;
	case 'B':
		follow(reading, read_path);
		break;
	default:
		fail(reading);
	}
	reading->depth--;
}

/* --- types ---------------------------------------------------------------------------- */

static const char *basic_type(char letter)
{
	static const char *const names[] = {
		['a' - 'a'] = "i8",  ['b' - 'a'] = "bool", ['c' - 'a'] = "char",  ['d' - 'a'] = "f64",	['e' - 'a'] = "str",
		['f' - 'a'] = "f32", ['h' - 'a'] = "u8",   ['i' - 'a'] = "isize", ['j' - 'a'] = "usize", ['l' - 'a'] = "i32",
		['m' - 'a'] = "u32", ['n' - 'a'] = "i128", ['o' - 'a'] = "u128",  ['p' - 'a'] = "_",	['s' - 'a'] = "i16",
		['t' - 'a'] = "u16", ['u' - 'a'] = "()",   ['v' - 'a'] = "...",	  ['x' - 'a'] = "i64",	['y' - 'a'] = "u64",
		['z' - 'a'] = "!",
	};

	return letter >= 'a' && letter <= 'z' ? names[letter - 'a'] : NULL;
}

static void read_function(struct reading *reading)
{
	size_t bytes;

	skip_number_behind(reading, 'G');
	take(reading, 'U');
	if (take(reading, 'K') && !take(reading, 'C'))
		read_identifier(reading, &bytes);
	read_all(reading, read_type);
	read_type(reading);
}

/* A trait, and the types that belong to it. */
static void read_trait(struct reading *reading)
{
	size_t bytes;

	read_path(reading);
	while (take(reading, 'p')) {
		read_identifier(reading, &bytes);
		read_quietly(reading, read_type);
	}
}

static void read_traits(struct reading *reading)
{
	skip_number_behind(reading, 'G');
	if (!take(reading, 'E'))
		read_trait(reading);
	else
		reading->at--;
	while (!reading->failed && !take(reading, 'E'))
		read_quietly(reading, read_trait);
	skip_number_behind(reading, 'L');
}

static void read_array(struct reading *reading)
{
	say_word(reading, "[");
	read_type(reading);
	say_word(reading, "]");
}

static void read_compound(struct reading *reading, char letter)
{
	switch (letter) {
	case 'A':
		read_array(reading);
		read_const(reading);
		break;
	case 'S':
		read_array(reading);
		break;
	case 'T':
		say_word(reading, "tuple");
		read_all(reading, skip_argument);
		break;
	case 'R':
	case 'Q':
		skip_number_behind(reading, 'L');
		read_type(reading);
		break;
	case 'P':
	case 'O':
		read_type(reading);
		break;
	case 'F':
		say_word(reading, "fn");
		read_quietly(reading, read_function);
		break;
	case 'D':
		read_traits(reading);
		break;
	case 'B':
		follow(reading, read_type);
		break;
	default:
		reading->at--;
		read_path(reading);
	}
}

static void read_type(struct reading *reading)
{
	char letter;

	if (!go_down(reading))
		return;
	letter = next(reading);
	if (basic_type(letter))
		say_word(reading, basic_type(letter));
	else if (!reading->failed)
		read_compound(reading, letter);
	reading->depth--;
}

/* --- constants, which are never said ---------------------------------------------------- */

static void read_field(struct reading *reading)
{
	size_t bytes;

	read_identifier(reading, &bytes);
	read_const(reading);
}

static void read_variant(struct reading *reading)
{
	read_quietly(reading, read_path);
	if (take(reading, 'T'))
		read_all(reading, read_const);
	else if (take(reading, 'S'))
		read_all(reading, read_field);
	else if (!take(reading, 'U'))
		fail(reading);
}

static void read_const(struct reading *reading)
{
	char letter;

	if (!go_down(reading))
		return;
	letter = next(reading);
	if (letter == 'B') {
		read_base62(reading);
	} else if (letter == 'R' || letter == 'Q') {
		read_const(reading);
	} else if (letter == 'A' || letter == 'T') {
		read_all(reading, read_const);
	} else if (letter == 'V') {
		read_variant(reading);
	} else if (letter != 'p') {
		if (!basic_type(letter))
			fail(reading);
		take(reading, 'n');
		while (!reading->failed && next(reading) != '_')
			continue;
	}
	reading->depth--;
}

char *ksr_rust_name(const char *symbol)
{
	struct reading reading = {0};
	char *text = NULL;
	size_t bytes = 0;

	if (strncmp(symbol, "_R", 2) != 0 || !isupper((unsigned char)symbol[2]))
		return NULL;
	reading.begin = symbol + 2;
	reading.at = reading.begin;
	reading.end = symbol + strlen(symbol);
	reading.output = open_memstream(&text, &bytes);
	if (!reading.output)
		return NULL;
	read_path(&reading);
	if (fclose(reading.output) == 0 && !reading.failed && bytes)
		return text;
	free(text);
	return NULL;
}
