/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorded_tree: a folder that a test fills with files as /proc has them, for ksr_fs_init() to
 * read instead of the machine's.
 *
 * A test's program has one at a time; Criterion runs each case in a process of its own.
 */
#ifndef RECORDED_TREE_H
#define RECORDED_TREE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where the tree is, from make_root() to remove_root(). */
static char root[64];

/* Writes this file of a process, whose folder is there. */
static void put(const char *name, int pid, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/%d/%s", root, pid, name);
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

/* A tree of no process. */
static void make_root(void)
{
	char path[128];

	strcpy(root, "/tmp/ksr-tree-XXXXXX");
	cr_assert(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/proc", root);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", root);
	cr_assert_eq(system(command), 0);
}

#endif
