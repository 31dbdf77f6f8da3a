/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seed of a group: what the shared layout of its processes is made of.
 *
 * What it is: the layout of the seed file that `ksmalloc run` makes and the
 * library reads, and the soft stack limit that follows from it, which is how
 * the kernel is told where libraries go: without randomisation it puts mappings
 * below the top of the address space less the soft stack limit (mmap_base() in
 * the kernel's mm/util.c and arch/x86/mm/mmap.c).
 *
 * What it is not: a key. Its words are independent random numbers, so that
 * who learns one kind of address learns nothing of the others, but every process of the
 * group knows all of them.
 *
 * Invariants: a file is complete or absent (it is linked into place whole), is
 * never changed afterwards, has mode 0600 and belongs to the user.
 *
 * Failure: readers refuse what ksmalloc_seed_problem() names.
 */
#ifndef KSMALLOC_SEED_H
#define KSMALLOC_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KSMALLOC_SEED_MAGIC	"KSMSEED"	/* 8 bytes with its NUL */
#define KSMALLOC_SEED_VERSION	1u
#define KSMALLOC_SEED_PREFIX	"seed."		/* of the file's name; the group's name follows */

enum ksmalloc_seed_word {
	KSMALLOC_SEED_LIBRARIES,	/* the stack limit: libraries, vdso, thread stacks, files */
	KSMALLOC_SEED_SPAN,		/* the base of the span */
	KSMALLOC_SEED_SLOTS,		/* which slot a site takes */
	KSMALLOC_SEED_HASHES,		/* hash seeds that a profile gives to an interpreter */
	KSMALLOC_SEED_ANCHORS,		/* which stream an anchor leads to */
	KSMALLOC_SEED_KEY,		/* no use of its own: half of the key of derived numbers */
	KSMALLOC_SEED_WORDS = 8,
};

struct ksmalloc_seed {
	char magic[8];
	uint32_t version;
	uint32_t bytes;			/* of this record */
	uint64_t created;		/* seconds since 1970 */
	uint64_t words[KSMALLOC_SEED_WORDS];
	uint64_t checksum;		/* ksmalloc_seed_checksum() */
};

/* FNV-1a over all that lies before it: finds damage, and keeps nobody from forging. */
static inline uint64_t ksmalloc_seed_checksum(const struct ksmalloc_seed *seed)
{
	const unsigned char *bytes = (const unsigned char *)seed;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct ksmalloc_seed, checksum); i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/*
 * Why a file cannot be the seed of the user's group, in words that follow the file's name,
 * or NULL if it can. status is fstat(2)'s of the descriptor that length bytes of seed were
 * read from.
 */
static inline const char *ksmalloc_seed_problem(const struct ksmalloc_seed *seed, size_t length,
						const struct stat *status, uid_t user)
{
	if (!S_ISREG(status->st_mode))
		return "is no regular file";
	if (status->st_uid != user)
		return "belongs to another user";
	if (status->st_mode & 077)
		return "can be read or written by others (its mode must be 0600)";
	if (length != sizeof(*seed) || status->st_size != (off_t)sizeof(*seed) ||
	    memcmp(seed->magic, KSMALLOC_SEED_MAGIC, sizeof(seed->magic)) != 0)
		return "is no seed of ksmalloc";
	if (seed->version != KSMALLOC_SEED_VERSION || seed->bytes != sizeof(*seed))
		return "is a seed of another version of ksmalloc";
	if (seed->checksum != ksmalloc_seed_checksum(seed))
		return "is damaged";
	return NULL;
}

/*
 * The path of a file that lies beside the group's seed and has a prefix before the seed's name. False if it takes more
 * than bytes: it is cut then.
 */
static inline bool ksmalloc_seed_beside(const char *seed, const char *prefix, char *path, size_t bytes)
{
	const char *slash = strrchr(seed, '/');
	const char *name = slash ? slash + 1 : seed;

	return (size_t)snprintf(path, bytes, "%.*s%s%s", (int)(name - seed), seed, prefix, name) < bytes;
}

static inline void ksmalloc_seed_mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
	v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[1];
	v[0] += v[3];
	v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
	v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
	v[2] = v[2] << 32 | v[2] >> 32;
}

/*
 * A number made from one of the seed's words, by SipHash-2-4 of its number, 8 bytes: those of different numbers tell
 * nothing of each other, nor of the seed. Interpreters show to their programs what they are given.
 */
static inline uint64_t ksmalloc_seed_derive(const struct ksmalloc_seed *seed, enum ksmalloc_seed_word word,
					    uint64_t number)
{
	uint64_t key = seed->words[word];
	uint64_t other = seed->words[KSMALLOC_SEED_KEY];
	uint64_t v[4] = { key ^ UINT64_C(0x736f6d6570736575), other ^ UINT64_C(0x646f72616e646f6d),
			  key ^ UINT64_C(0x6c7967656e657261), other ^ UINT64_C(0x7465646279746573) };
	const uint64_t blocks[] = { number, UINT64_C(8) << 56 };

	for (int i = 0; i < 2; i++) {
		v[3] ^= blocks[i];
		ksmalloc_seed_mix(v);
		ksmalloc_seed_mix(v);
		v[0] ^= blocks[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		ksmalloc_seed_mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/*
 * The soft stack limit, in bytes, under which a process of the group has to be executed.
 * here is any address on the stack: it tells how large the address space is. 33 bits of it
 * are random where user addresses have 47 bits or more, 24 where they have 39.
 */
static inline uint64_t ksmalloc_seed_stack_limit(const struct ksmalloc_seed *seed, uintptr_t here)
{
	unsigned int bits = here >> 46 ? 33 : 24;
	uint64_t pages = seed->words[KSMALLOC_SEED_LIBRARIES] & ((UINT64_C(1) << bits) - 1);

	return (UINT64_C(256) << 20) + (pages << 12);
}

#endif
