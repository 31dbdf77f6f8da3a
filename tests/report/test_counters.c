/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/ksm_sites: rows of this kernel and of later ones, and what is taken for neither. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/counters.h"

#define HEAD                                                                                       \
	"site priority stability vm_pages merged unshared volatile saved_pages scanned zero "      \
	"cow_broken skipped\n"

static int parse(const char *literal, struct ksr_counter_table *table)
{
	struct ksr_text text = {.data = strdup(literal), .size = strlen(literal)};
	int error = ksr_counters_parse(&text, table);

	free(text.data);
	if (error)
		cr_assert(table->rows == NULL && table->count == 0, "nothing is left of %s",
			  literal);
	return error;
}

Test(counters, test_rows_are_found_by_site)
{
	const struct ksr_counters *row;
	struct ksr_counter_table table;

	cr_assert_eq(parse(HEAD "0 0 0 10 1 2 3 1 9 0 0 0\n"
				"281474976710655 8 2 640 600 20 20 550 1300 7 4 30\n",
			   &table),
		     0);
	cr_assert_eq(table.count, 2);
	row = ksr_counters_find(&table, KSMALLOC_HINT_SITE_MASK);
	cr_assert(row);
	cr_assert_eq(row->priority, 8);
	cr_assert_eq(row->stability, KSMALLOC_STABILITY_SETTLED);
	cr_assert_eq(row->mapped, 640);
	cr_assert_eq(row->merged, 600);
	cr_assert_eq(row->unshared, 20);
	cr_assert_eq(row->changing, 20);
	cr_assert_eq(row->saved, 550);
	cr_assert_eq(row->scanned, 1300);
	cr_assert_eq(row->zero, 7);
	cr_assert_eq(row->broken, 4);
	cr_assert_eq(row->skipped, 30);
	cr_assert_not(ksr_counters_find(&table, 5));
	ksr_counters_free(&table);
	cr_assert_not(ksr_counters_find(&table, 0), "an empty table has no rows");
}

/* Columns that later kernels add may hold anything, and may be missing in earlier ones. */
Test(counters, test_columns_are_found_by_name)
{
	struct ksr_counter_table table;

	cr_assert_eq(parse("rung saved_pages site merged name\n"
			   "2 30 7 40 hot\n"
			   "1 10 3 20\n",
			   &table),
		     0);
	cr_assert_eq(table.rows[0].site, 3, "rows are put in order");
	cr_assert_eq(table.rows[1].merged, 40);
	cr_assert_eq(table.rows[1].saved, 30);
	cr_assert_eq(table.rows[1].scanned, KSR_NONE, "a column that is not there");
	ksr_counters_free(&table);
}

/* The kernel subtracts counters that change meanwhile. */
Test(counters, test_numbers_below_zero_are_zero)
{
	struct ksr_counter_table table;

	cr_assert_eq(parse("site merged saved_pages volatile\n"
			   "7 40 18446744073709551615 18446744073709551000\n"
			   "8 40 41 0\n",
			   &table),
		     0);
	cr_assert_eq(table.rows[0].saved, 0);
	cr_assert_eq(table.rows[0].changing, 0);
	cr_assert_eq(table.rows[1].saved, 40, "never more than is merged");
	ksr_counters_free(&table);
}

Test(counters, test_other_forms_are_refused)
{
	static const char *const texts[] = {
		"\n",
		HEAD,
		"site merged\n7 1\n",
		"site merged saved_pages merged\n7 1 1 1\n",
		HEAD "7 8 0 1 1 1 1 1 1 0 0\n",
		HEAD "7 8 0 1 1 1 1 1 1 0 0 -1\n",
		HEAD "7 8 0 1 x 1 1 1 1 0 0 0\n",
		HEAD "7 8 0 1 99999999999999999999 1 1 1 1 0 0 0\n",
		HEAD "281474976710656 8 0 1 1 1 1 1 1 0 0 0\n",
		HEAD "7 8 0 1 1 1 1 1 1 0 0 0\n7 8 0 1 1 1 1 1 1 0 0 0\n",
		HEAD "\n7 8 0 1 1 1 1 1 1 0 0 0\n",
	};
	struct ksr_counter_table table;

	for (size_t i = 0; i < KSM_COUNT_OF(texts); i++)
		cr_assert_eq(parse(texts[i], &table), -EINVAL, "%s", texts[i]);
	cr_assert_eq(parse("", &table), -ENODATA, "the file of a process that ends");
}
