/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(int fd, char why[KSR_TOKEN_WHY_BYTES])
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode)) {
		snprintf(why, KSR_TOKEN_WHY_BYTES, "it is no file");
		return -EINVAL;
	}
	if (status.st_mode & 077) {
		snprintf(why, KSR_TOKEN_WHY_BYTES, "others than its owner may use it; chmod 600");
		return -EPERM;
	}
	return 0;
}

static int check_text(struct ksr_token *token, char why[KSR_TOKEN_WHY_BYTES])
{
	while (token->bytes && strchr("\r\n", token->text[token->bytes - 1]))
		token->bytes--;
	token->text[token->bytes] = '\0';
	for (size_t i = 0; i < token->bytes; i++) {
		if (token->text[i] <= ' ' || token->text[i] > '~') {
			snprintf(why, KSR_TOKEN_WHY_BYTES, "there are other bytes in it than letters, digits and signs");
			return -EINVAL;
		}
	}
	if (token->bytes >= KSR_TOKEN_LEAST && token->bytes <= KSR_TOKEN_MOST - 2)
		return 0;
	snprintf(why, KSR_TOKEN_WHY_BYTES, "a token has from %d to %d bytes", KSR_TOKEN_LEAST, KSR_TOKEN_MOST - 2);
	return -EINVAL;
}

int ksr_token_read(const char *path, struct ksr_token *token, char why[KSR_TOKEN_WHY_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t got;
	int error;

	memset(token, 0, sizeof(*token));
	if (fd < 0) {
		error = -errno;
		snprintf(why, KSR_TOKEN_WHY_BYTES, "%s", strerror(-error));
		return error;
	}
	why[0] = '\0';
	error = check_file(fd, why);
	got = error ? 0 : read(fd, token->text, KSR_TOKEN_MOST);
	if (got < 0)
		error = -errno;
	close(fd);
	token->bytes = got > 0 ? (size_t)got : 0;
	if (!error)
		error = check_text(token, why);
	if (error && !why[0])
		snprintf(why, KSR_TOKEN_WHY_BYTES, "%s", strerror(-error));
	return error;
}

/* All bytes of the token are looked at, whatever the other text is; it is read beyond its end never. */
static bool is_equal(const struct ksr_token *token, const char *text, size_t bytes)
{
	unsigned int different = bytes != token->bytes;

	for (size_t i = 0; i < token->bytes; i++)
		different |= (unsigned int)((unsigned char)token->text[i] ^ (unsigned char)(bytes ? text[i % bytes] : 0));
	return different == 0;
}

static int digit_of(char letter)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = letter ? strchr(digits, letter) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Base64; returns how many bytes it made, at most room. */
static size_t decode(const char *text, char *bytes, size_t room)
{
	unsigned int bits = 0;
	unsigned int have = 0;
	size_t made = 0;

	for (; digit_of(*text) >= 0 && made < room; text++) {
		bits = bits << 6 | (unsigned int)digit_of(*text);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		bytes[made++] = (char)(bits >> have & 0xff);
		bits &= (1u << have) - 1;
	}
	return made;
}

bool ksr_token_allows(const struct ksr_token *token, const char *authorization)
{
	char pair[KSR_TOKEN_MOST + 128];
	const char *colon;
	size_t bytes;

	if (!token->bytes)
		return true;
	if (!authorization)
		return false;
	if (strncasecmp(authorization, "Bearer ", 7) == 0)
		return is_equal(token, authorization + 7, strlen(authorization + 7));
	if (strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	bytes = decode(authorization + 6, pair, sizeof(pair));
	colon = memchr(pair, ':', bytes);
	return colon && is_equal(token, colon + 1, bytes - (size_t)(colon + 1 - pair));
}
