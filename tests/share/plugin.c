/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin.h"

#include <stdint.h>

#define PAGE	4096u
#ifndef PAGES
#define PAGES 96
#endif
#define BYTES	(PAGES * PAGE)
#define ALIGNED __attribute__((aligned(PAGE)))

#define EIGHT(what) what, what, what, what, what, what, what, what
#if PAGES == 1
#define MANY(what)  EIGHT(EIGHT(EIGHT(what)))
#define POINTERS    512u
#else
#define MANY(what)  EIGHT(EIGHT(EIGHT(EIGHT(what))))
#define POINTERS    4096u
#endif

static unsigned char target;
static unsigned char *const relocated[POINTERS] ALIGNED = { MANY(&target) };
static unsigned char variables[BYTES] ALIGNED = { 1 };

static unsigned char byte_of(int version, size_t at)
{
	return (unsigned char)(at / 7 * 13 + (unsigned int)version * 31 + SALT);
}

void plugin_fill(int version)
{
	for (size_t i = 0; i < BYTES; i++)
		variables[i] = byte_of(version, i);
}

unsigned int plugin_count_wrong(int version)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < BYTES; i++)
		wrong += ((volatile unsigned char *)variables)[i] != byte_of(version, i);
	for (unsigned int i = 0; i < POINTERS; i++)
		wrong += ((unsigned char *const volatile *)relocated)[i] != &target;
	return wrong;
}

void plugin_describe(struct plugin_range *of_variables, struct plugin_range *of_pointers)
{
	*of_variables = (struct plugin_range){ variables, sizeof(variables) };
	*of_pointers = (struct plugin_range){ (const void *)relocated, sizeof(relocated) };
}
