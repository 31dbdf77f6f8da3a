/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/quote.h"

#include <string.h>

/* Bytes of the sequence that must not be written as it is; 0: none. code is what stands for it. */
static size_t unsafe(const unsigned char *at, unsigned int *code)
{
	*code = at[0];
	if (at[0] < 0x20 || at[0] == 0x7f || strchr("\"\\<>&", at[0]))
		return 1;
	/* U+2028 and U+2029 */
	if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) {
		*code = 0x2000u + (at[2] & 0x3fu);
		return 3;
	}
	return 0;
}

void ksr_quote(FILE *output, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char *plain = at;
	unsigned int code;

	putc('"', output);
	while (*at) {
		size_t bytes = unsafe(at, &code);

		if (bytes == 0) {
			at++;
			continue;
		}
		fwrite(plain, 1, (size_t)(at - plain), output);
		fprintf(output, "\\u%04x", code);
		at += bytes;
		plain = at;
	}
	fwrite(plain, 1, (size_t)(at - plain), output);
	putc('"', output);
}
