/* SPDX-License-Identifier: BSD-2-Clause */
/* Which segment files are removed: those of this boot and pid namespace whose process has gone. */
#include "segment/stale.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACE UINT64_C(0xeffffffc)

static char path[] = "/tmp/ksm-stale.XXXXXX";
static int folder;
static pid_t gone;
static struct ksmalloc_segment_header own;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(folder, 0);
	gone = fork();
	if (gone == 0)
		_exit(0);
	cr_assert_eq(waitpid(gone, NULL, 0), gone);
	memcpy(own.magic, KSMALLOC_SEGMENT_MAGIC, sizeof(own.magic));
	strcpy(own.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	own.pid_namespace = NAMESPACE;
}

static void teardown(void)
{
	char command[64];

	close(folder);
	snprintf(command, sizeof(command), "rm -r %s", path);
	cr_assert_eq(system(command), 0);
}

TestSuite(stale, .init = setup, .fini = teardown);

/* Makes a file of the first bytes of a header. */
static void make(const char *name, const struct ksmalloc_segment_header *header, size_t bytes)
{
	int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, header, bytes), (ssize_t)bytes);
	close(file);
}

static const char *name_of(long pid, unsigned long long pid_namespace)
{
	static char name[80];

	snprintf(name, sizeof(name), KSMALLOC_SEGMENT_PREFIX "%ld.%llx", pid, pid_namespace);
	return name;
}

/* Makes one file, removes what is stale, and says whether it is still there. */
static bool stays(const char *name, const struct ksmalloc_segment_header *header, size_t bytes)
{
	struct stat status;

	make(name, header, bytes);
	ksm_stale_remove(folder, &own);
	cr_assert_eq(lseek(folder, 0, SEEK_SET), 0);
	return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(stale, file_of_a_process_that_has_gone_is_removed)
{
	cr_assert_not(stays(name_of(gone, NAMESPACE), &own, sizeof(own)));
}

Test(stale, file_of_a_living_process_stays)
{
	cr_assert(stays(name_of(getpid(), NAMESPACE), &own, sizeof(own)));
	/* Signals to process 1 are not permitted to users. */
	cr_assert(stays(name_of(1, NAMESPACE), &own, sizeof(own)));
}

Test(stale, file_of_another_namespace_stays)
{
	cr_assert(stays(name_of(gone, NAMESPACE + 1), &own, sizeof(own)));
}

Test(stale, file_of_another_boot_or_machine_stays)
{
	struct ksmalloc_segment_header other = own;

	other.boot_id[35] = '0';
	cr_assert(stays(name_of(gone, NAMESPACE), &other, sizeof(other)));
}

Test(stale, what_is_no_segment_stays)
{
	struct ksmalloc_segment_header other = own;
	char name[100];

	other.magic[0]++;
	cr_assert(stays(name_of(gone, NAMESPACE), &other, sizeof(other)));
	cr_assert_eq(unlinkat(folder, name_of(gone, NAMESPACE), 0), 0);
	cr_assert(stays(name_of(gone, NAMESPACE), &own, 16), "cut short");
	cr_assert(stays("seed.group", &own, sizeof(own)));
	snprintf(name, sizeof(name), "%s.copy", name_of(gone, NAMESPACE));
	cr_assert(stays(name, &own, sizeof(own)));
	cr_assert(stays(name_of(0, NAMESPACE), &own, sizeof(own)));
	cr_assert(stays(name_of(-gone, NAMESPACE), &own, sizeof(own)));
	cr_assert(stays(name_of((1L << 32) + gone, NAMESPACE), &own, sizeof(own)));
}

Test(stale, links_are_not_followed)
{
	struct stat status;
	char target[] = "target";

	make(target, &own, sizeof(own));
	cr_assert_eq(symlinkat(target, folder, name_of(gone, NAMESPACE)), 0);
	ksm_stale_remove(folder, &own);
	cr_assert_eq(fstatat(folder, name_of(gone, NAMESPACE), &status, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(fstatat(folder, target, &status, 0), 0);
}

Test(stale, nothing_is_removed_without_an_identity)
{
	own.pid_namespace = 0;
	cr_assert(stays(name_of(gone, 0), &own, sizeof(own)));
	own.pid_namespace = NAMESPACE;
	own.boot_id[0] = '\0';
	cr_assert(stays(name_of(gone, NAMESPACE), &own, sizeof(own)));
}

Test(stale, all_of_many_are_removed_and_errno_is_kept)
{
	struct stat status;
	char name[80];

	/* Above pid_max (proc(5)), so that no process has them; more than one buffer of names. */
	for (long pid = 1L << 23; pid < (1L << 23) + 500; pid++)
		make(name_of(pid, NAMESPACE), &own, sizeof(own));
	make(name_of(getpid(), NAMESPACE), &own, sizeof(own));
	errno = 42;
	ksm_stale_remove(folder, &own);
	cr_assert_eq(errno, 42);
	for (long pid = 1L << 23; pid < (1L << 23) + 500; pid++) {
		snprintf(name, sizeof(name), "%s", name_of(pid, NAMESPACE));
		cr_assert_neq(fstatat(folder, name, &status, 0), 0, "%s is still there", name);
	}
	cr_assert_eq(fstatat(folder, name_of(getpid(), NAMESPACE), &status, 0), 0);
}
