/* SPDX-License-Identifier: BSD-2-Clause */
/* Which package has the debug information of a file: lists of packages, and what dpkg-query writes.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/package.h"

#define ID_A "c561f3aa7232f2bd6ac6d56bd475f1c154a00486"
#define ID_B "0123456789abcdef0123456789abcdef01234567"
#define ID_C "fedcba9876543210fedcba9876543210fedcba98"

static const char packages[] = "Package: first\n"
			       "Version: 1\n"
			       "Description: mentions " ID_A " in prose\n"
			       "\n"
			       "Package: python3.11-dbg\n"
			       "Source: python3.11\n"
			       "Build-Ids: " ID_B " " ID_A "\n"
			       "Description: Debug Build of the Python Interpreter\n"
			       "\n"
			       "Package: not-for-debugging\n"
			       "Build-Ids: " ID_C "\n"
			       "\n"
			       "Package: libc6-dbg\n"
			       "Description: Package: libc6-fake\n"
			       "\n"
			       "Package: last-dbgsym\n"
			       "Build-Ids: 1" ID_C "\n";

static struct ksr_text text_of(const char *data)
{
	return (struct ksr_text){.data = strdup(data), .size = strlen(data)};
}

Test(packages, test_by_build_id)
{
	struct ksr_text list = text_of(packages);
	char name[KSR_PACKAGE_BYTES];

	cr_assert(ksr_packages_with_build_id(&list, ID_A, name));
	cr_assert_str_eq(name, "python3.11-dbg");
	cr_assert(ksr_packages_with_build_id(&list, ID_B, name));
	cr_assert_str_eq(name, "python3.11-dbg");
	cr_assert(ksr_packages_with_build_id(&list, "1" ID_C, name), "at the very end");
	cr_assert_str_eq(name, "last-dbgsym");
	cr_assert_not(ksr_packages_with_build_id(&list, ID_C, name), "no debug package");
	cr_assert_not(ksr_packages_with_build_id(&list, "c561f3aa7232", name), "a part of one");
	cr_assert_not(ksr_packages_with_build_id(&list, "", name));
	ksr_text_free(&list);
}

Test(packages, test_by_name)
{
	struct ksr_text list = text_of(packages);

	cr_assert(ksr_packages_have(&list, "first"));
	cr_assert(ksr_packages_have(&list, "libc6-dbg"));
	cr_assert_not(ksr_packages_have(&list, "libc6"));
	cr_assert_not(ksr_packages_have(&list, "libc6-fake"), "in the middle of a line");
	ksr_text_free(&list);
}

/* A list may be cut off or be no list at all. */
Test(packages, test_nonsense)
{
	static const char *const lists[] = {
		"",
		"\n",
		ID_A,
		"Build-Ids: " ID_A,
		"Build-Ids: " ID_A "\n",
		"\n\nBuild-Ids: " ID_A "\n",
		"Package: \nBuild-Ids: " ID_A "\n",
	};
	char name[KSR_PACKAGE_BYTES];
	char *longest;

	for (size_t i = 0; i < KSM_COUNT_OF(lists); i++) {
		struct ksr_text list = text_of(lists[i]);

		cr_expect_not(ksr_packages_with_build_id(&list, ID_A, name), "case %zu", i);
		cr_expect_not(ksr_packages_have(&list, "x"));
		ksr_text_free(&list);
	}
	cr_assert_gt(asprintf(&longest, "Package: %0*d-dbg\nBuild-Ids: " ID_A "\n",
			      KSR_PACKAGE_BYTES, 1),
		     0);
	{
		struct ksr_text list = text_of(longest);

		cr_assert_not(ksr_packages_with_build_id(&list, ID_A, name));
		ksr_text_free(&list);
	}
	free(longest);
}

Test(packages, test_lines_of_dpkg)
{
	static const struct {
		const char *line;
		const char *name; /* NULL: none */
	} cases[] = {
		{"python3.11-minimal: /usr/bin/python3.11", "python3.11-minimal"},
		{"libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6", "libc6"},
		{"g++, clang: /usr/share/both", "g++"},
		{"diversion by dash from: /bin/sh", NULL},
		{"local diversion to: /bin/sh", NULL},
		{"", NULL},
		{": /x", NULL},
		{"name without an end", NULL},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		char name[KSR_PACKAGE_BYTES] = "";
		bool found = ksr_package_of_line(cases[i].line, name);

		cr_expect_eq(found, cases[i].name != NULL, "%s", cases[i].line);
		cr_expect_str_eq(name, cases[i].name ? cases[i].name : "");
	}
}

/* Of all lists the build-id decides, wherever it is; names are second best, in their order. */
Test(packages, test_lists)
{
	char folder[] = "/tmp/ksr-packages-XXXXXX";
	struct ksr_debug_package asked[] = {
		{.path = "/a", .build_id = ID_A, .names = {"first", "libc6-dbg"}, .name_count = 2},
		{.path = "/b",
		 .build_id = "none",
		 .names = {"no-such-dbg", "libc6-dbg", "first"},
		 .name_count = 3},
		{.path = "/c", .build_id = "none", .names = {"no-such-dbgsym"}, .name_count = 1},
		{.path = "/d", .build_id = "none"},
	};
	char command[1024];
	struct ksr_fs fs;

	cr_assert(mkdtemp(folder));
	snprintf(command, sizeof(command),
		 "mkdir -p '%s/var/lib/apt/lists/partial' '%s/proc' '%s/sys' && cd "
		 "'%s/var/lib/apt/lists' && "
		 "printf 'Package: first\\n' >a_Packages && : >b_Packages && cp a_Packages "
		 "c_PackagesNot && "
		 "printf 'Package: no-such-dbg\\n' >a_Packages.old; printf 'Package: "
		 "no-such-dbg\\n' >a_Release",
		 folder, folder, folder, folder);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "%s/var/lib/apt/lists/d_Packages", folder);
	{
		FILE *file = fopen(command, "w");

		cr_assert(file);
		fputs(packages, file);
		fclose(file);
	}
	cr_assert_eq(ksr_fs_init(&fs, folder), 0);
	ksr_debug_packages_find(&fs, asked, KSM_COUNT_OF(asked));
	cr_expect_str_eq(asked[0].name, "python3.11-dbg");
	cr_expect(asked[0].certain && asked[0].listed);
	cr_expect_str_eq(asked[1].name, "libc6-dbg");
	cr_expect(!asked[1].certain && asked[1].listed);
	cr_expect_str_eq(asked[2].name, "no-such-dbgsym");
	cr_expect(!asked[2].listed);
	cr_expect_str_eq(asked[3].name, "");
	ksr_fs_fini(&fs);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	cr_assert_eq(system(command), 0);
}
