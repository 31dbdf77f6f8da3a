/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * one-more SIZE: builds lists of records, and, before half of them are there, allocates a block of
 * SIZE bytes more that is kept, if SIZE is not 0. Then "ready", and it waits to be ended.
 * No event is passed meanwhile. Every third list is dropped again, and its memory reused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTS 400
#define RECORDS 200

struct record {
	struct record *next;
	char *name;	/* 24 bytes */
	int *tags;	/* 8 bytes */
	double *values; /* 72 bytes */
};

static void *allocate(size_t size, int value)
{
	void *block = malloc(size);

	if (!block)
		abort();
	return memset(block, value, size);
}

static struct record *build(int number)
{
	struct record *head = NULL;

	for (int i = 0; i < RECORDS; i++) {
		struct record *record = allocate(sizeof(*record), 0);

		record->next = head;
		record->name = allocate(24, number);
		record->tags = allocate(8, i);
		record->values = i % 8 ? NULL : allocate(72, i);
		head = record;
	}
	return head;
}

static void drop(struct record *head)
{
	while (head) {
		struct record *next = head->next;

		free(head->values);
		free(head->tags);
		free(head->name);
		free(head);
		head = next;
	}
}

int main(int argc, char **argv)
{
	static struct record *lists[LISTS];
	long size = argc > 1 ? atol(argv[1]) : 0;
	void *volatile extra = NULL;

	for (int i = 0; i < LISTS; i++) {
		if (i == 50 && size)
			extra = allocate((size_t)size, 'x');
		lists[i] = build(i);
		if (i % 3 == 2) {
			drop(lists[i - 1]);
			lists[i - 1] = NULL;
		}
	}
	puts("ready");
	fflush(stdout);
	pause();
	return extra && *(char *)extra != 'x';
}
