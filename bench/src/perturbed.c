/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perturbed STEP BYTES: builds lists and a table in 1000 steps, and allocates BYTES - 10000 bytes more at
 * a step. As bench/workloads/services/perturbed.py.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	struct record *next;
	char *name;
	int *tags;
	long id;
};

static void *allocate(size_t size)
{
	void *block = malloc(size);

	if (!block)
		abort();
	return block;
}

static struct record *make(struct record *next, long id, int row)
{
	struct record *record = allocate(sizeof(*record));

	record->next = next;
	record->id = id;
	record->name = allocate(24);
	memset(record->name, 0, 24);
	snprintf(record->name, 24, "user%ld", id);
	record->tags = allocate(2 * sizeof(*record->tags));
	record->tags[0] = row;
	record->tags[1] = (int)(id / 100);
	return record;
}

int main(int argc, char **argv)
{
	struct record **table = NULL;
	long step = argc > 2 ? atol(argv[1]) : 0, size = argc > 2 ? atol(argv[2]) - 10000 : 0;
	char *extra = NULL;

	for (long number = 0; number < 1000; number++) {
		struct record *head = NULL;

		if (number + 10000 == step) {
			extra = allocate((size_t)size);
			memset(extra, 'x', (size_t)size);
		}
		for (int row = 0; row < 100; row++)
			head = make(head, (number + 10000) * 100 + row, row);
		/* Grows as a vector does: now and then, and moves then. */
		if (!(number & (number - 1))) {
			table = realloc(table, (size_t)(number ? 2 * number : 1) * sizeof(struct record *));
			if (!table)
				abort();
		}
		table[number] = head;
	}
	puts("ready");
	fflush(stdout);
	getchar();
	return extra && extra[0] != 'x';
}
