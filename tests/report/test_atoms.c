/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pieces of a page are told apart, and what a set of them claims. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pages/atoms.h"

#define PAGE 4096

static unsigned char page[PAGE];
static struct ksr_atom atoms[PAGE];

static void put_word(size_t at, uint64_t value)
{
	memcpy(page + at, &value, sizeof(value));
}

static size_t find(void)
{
	return ksr_atoms_find(page, PAGE, atoms);
}

static void clear(void)
{
	memset(page, 0, PAGE);
}

TestSuite(atoms, .init = clear);

Test(atoms, nothing_in_zeros_sizes_and_addresses)
{
	put_word(0, 4096);
	put_word(8, UINT64_C(0x7ffff7a12340));
	put_word(16, UINT64_C(0xffffffff));
	cr_assert_eq(find(), 0);
}

Test(atoms, texts_and_large_numbers_in_order)
{
	put_word(0, UINT64_C(0xdeadbeef00112233));
	strcpy((char *)page + 21, "a text of some length");
	put_word(64, UINT64_C(0x8000000000000001));
	cr_assert_eq(find(), 3);
	cr_assert(!atoms[0].is_text && atoms[0].offset == 0 && atoms[0].bytes == 8);
	cr_assert(atoms[1].is_text && atoms[1].offset == 21 && atoms[1].bytes == 21);
	cr_assert(!atoms[2].is_text && atoms[2].offset == 64);
	cr_assert_eq(atoms[1].hash, ksr_atoms_text_hash("a text of some length", 21));
	cr_assert_eq(ksr_atoms_text_bytes(page, PAGE, 21), 21);
	cr_assert_eq(ksr_atoms_text_bytes(page, PAGE, 0), 0);
}

Test(atoms, a_piece_is_the_same_wherever_it_lies)
{
	uint64_t hash;

	strcpy((char *)page + 3, "worker-1.log");
	cr_assert_eq(find(), 1);
	hash = atoms[0].hash;
	clear();
	strcpy((char *)page + 2048, "worker-1.log");
	cr_assert_eq(find(), 1);
	cr_assert_eq(atoms[0].hash, hash);
}

Test(atoms, short_texts_and_what_only_looks_like_one)
{
	strcpy((char *)page + 8, "short");
	/* No NUL behind it: bytes of a number. */
	memcpy(page + 64, "letters\xff", 8);
	/* The rest of a longer text. */
	memcpy(page + 128, "abc\0efgh", 8);
	cr_assert_eq(find(), 0);
}

Test(atoms, edges_of_the_page)
{
	memset(page, 'x', 100);
	memset(page + PAGE - 6, 'y', 6);
	cr_assert_eq(find(), 2);
	cr_assert(atoms[0].offset == 0 && atoms[0].bytes == 100);
	cr_assert(atoms[1].offset == PAGE - 6 && atoms[1].bytes == 6);
	memset(page, 'x', PAGE);
	cr_assert_eq(find(), 1);
	cr_assert_eq(atoms[0].bytes, PAGE);
}

/* Every text that a plain search finds, and never more than there is room for. */
Test(atoms, random_pages)
{
	static const char letters[] = "abcdef\0\0\x01\xff";

	for (unsigned int round = 0; round < 2000; round++) {
		size_t texts = 0;
		size_t count;

		srand(round);
		for (size_t i = 0; i < PAGE; i++)
			page[i] = (unsigned char)letters[(size_t)rand() % (round % 5 + 6)];
		for (size_t i = 0, run = 0; i <= PAGE; i++) {
			bool inside = i < PAGE && page[i] >= 'a' && page[i] <= 'f';

			texts += !inside && run >= KSR_ATOM_TEXT_LEAST && (i == PAGE || !page[i]);
			run = inside ? run + 1 : 0;
		}
		count = find();
		cr_assert(count <= ksr_atoms_most(PAGE));
		for (size_t i = 0; i < count; i++) {
			texts -= atoms[i].is_text;
			cr_assert(i == 0 ||
				  atoms[i].offset >= atoms[i - 1].offset + atoms[i - 1].bytes);
		}
		cr_assert_eq(texts, 0, "round %u", round);
	}
}

Test(atoms, a_set_has_what_was_added_and_little_else)
{
	struct ksr_atom_set set;
	size_t wrong = 0;

	cr_assert_eq(ksr_atom_set_init(&set), 0);
	for (uint64_t i = 0; i < 1000000; i++)
		ksr_atom_set_add(&set, ksr_atoms_text_hash(&i, sizeof(i)));
	for (uint64_t i = 0; i < 1000000; i++)
		cr_assert(ksr_atom_set_has(&set, ksr_atoms_text_hash(&i, sizeof(i))));
	for (uint64_t i = 1000000; i < 2000000; i++)
		wrong += ksr_atom_set_has(&set, ksr_atoms_text_hash(&i, sizeof(i)));
	cr_assert(wrong < 5000, "%zu of a million", wrong);
	ksr_atom_set_fini(&set);
}

/* It can only hide, never invent. */
Test(atoms, a_full_set_has_everything)
{
	struct ksr_atom_set set;

	cr_assert_eq(ksr_atom_set_init(&set), 0);
	cr_assert(!ksr_atom_set_has(&set, 1));
	for (uint64_t i = 0; i <= KSR_ATOM_SET_MOST; i++)
		ksr_atom_set_add(&set, 2);
	cr_assert(ksr_atom_set_has(&set, 1));
	ksr_atom_set_fini(&set);
}
