/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * input: the bytes of a target's input, one after the other, and how a target says that what it tests is wrong.
 *
 * For targets that make calls of bytes beside a model. TARGET is what they call themselves.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input, *input_end;

/* 0 behind the end. */
static unsigned int next_byte(void)
{
	return input < input_end ? *input++ : 0;
}

static void need(bool met, const char *what)
{
	if (met)
		return;
	fprintf(stderr, TARGET ": %s\n", what);
	abort();
}

#endif
