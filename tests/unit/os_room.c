/* SPDX-License-Identifier: BSD-2-Clause */
/* How much memory there is, by what the kernel's files say: they are the test's. */
#include "os/os.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct {
	const char *path;
	const char *text;
} files[] = {
	{ "/proc/self/cgroup", "0::/service/worker\n" },
	{ "/proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    800000 kB\n" },
	{ "/sys/fs/cgroup/service/worker/memory.max", "max\n" },
	{ "/sys/fs/cgroup/service/worker/memory.high", "max\n" },
	{ "/sys/fs/cgroup/service/worker/memory.current", "100000\n" },
	{ "/sys/fs/cgroup/service/worker/memory.stat", "anon 1\nfile 9000\n" },
	{ "/sys/fs/cgroup/service/memory.max", "max\n" },
	{ "/sys/fs/cgroup/service/memory.current", "200000\n" },
};

ssize_t __wrap_ksm_os_read_file(const char *path, char *buffer, size_t room);
ssize_t __wrap_ksm_os_read_file(const char *path, char *buffer, size_t room)
{
	for (size_t i = 0; i < KSM_COUNT_OF(files); i++) {
		if (strcmp(files[i].path, path) == 0)
			return snprintf(buffer, room, "%s", files[i].text);
	}
	return -ENOENT;
}

static void say(const char *path, const char *text)
{
	for (size_t i = 0; i < KSM_COUNT_OF(files); i++) {
		if (strcmp(files[i].path, path) == 0)
			files[i].text = text;
	}
}

Test(os_room, without_a_limit_there_is_what_the_machine_has)
{
	cr_assert_eq(ksm_os_memory_room(), 800000 * KSM_KIB);
}

Test(os_room, each_group_has_limits_and_the_lowest_counts)
{
	say("/sys/fs/cgroup/service/worker/memory.max", "160000\n");
	cr_assert_eq(ksm_os_memory_room(), 60000);
	say("/sys/fs/cgroup/service/worker/memory.high", "140000\n");
	cr_assert_eq(ksm_os_memory_room(), 40000, "it would wait there, and not be ended");
	say("/sys/fs/cgroup/service/worker/memory.high", "170000\n");
	cr_assert_eq(ksm_os_memory_room(), 60000);
	say("/sys/fs/cgroup/service/worker/memory.max", "max\n");
	cr_assert_eq(ksm_os_memory_room(), 70000, "though there is no other limit");
	say("/sys/fs/cgroup/service/memory.max", "210000\n");
	cr_assert_eq(ksm_os_memory_room(), 10000);
	say("/sys/fs/cgroup/service/memory.max", "190000\n");
	cr_assert_eq(ksm_os_memory_room(), 0);
}

Test(os_room, what_goes_where_it_is_in_the_way_is_no_use)
{
	say("/sys/fs/cgroup/service/worker/memory.max", "160000\n");
	say("/sys/fs/cgroup/service/worker/memory.stat",
	    "anon 1\nfile 9000\ninactive_file 3000\nactive_file 600\nslab_reclaimable 2000\nslab_unreclaimable 70\n");
	cr_assert_eq(ksm_os_memory_room(), 60000 + 3000 + 600 / 2 + 2000 / 2);
}
