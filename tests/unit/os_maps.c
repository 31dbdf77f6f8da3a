/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells of mappings one by one is what it writes of all of them; and where it cannot be asked that is read. */
#include "os/os.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 1024u

struct list {
	struct ksm_os_mapping all[MOST];
	char names[MOST][64];
	uint32_t count;
	uint32_t most; /* that are wanted */
};

static bool add(const struct ksm_os_mapping *mapping, void *argument)
{
	struct list *list = argument;

	list->all[list->count] = *mapping;
	strncpy(list->names[list->count], mapping->name, sizeof(list->names[0]) - 1);
	list->count++;
	return list->count < list->most;
}

static bool is_same(const struct ksm_os_mapping *a, const struct ksm_os_mapping *b)
{
	return a->begin == b->begin && a->end == b->end && a->offset == b->offset && a->inode == b->inode && a->rights == b->rights &&
	       a->is_private == b->is_private;
}

/* Mappings of all kinds: with a hole, with a file of a long name, shared ones and such without rights. */
static unsigned char *map_some(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *begin = mmap(NULL, 64 * KSM_PAGE, PROT_NONE, flags, -1, 0);
	char name[200];
	int fd;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fd = memfd_create(name, MFD_CLOEXEC);
	cr_assert_eq(ftruncate(fd, 8 * KSM_PAGE), 0);
	cr_assert_neq(begin, MAP_FAILED);
	mprotect(begin + 4 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ | PROT_WRITE);
	munmap(begin + 12 * KSM_PAGE, 4 * KSM_PAGE);
	mmap(begin + 20 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 2 * KSM_PAGE);
	mmap(begin + 28 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, KSM_PAGE);
	mmap(begin + 36 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	close(fd);
	return begin;
}

/* Those of an area: the test's own memory changes meanwhile. */
static void check(const unsigned char *begin)
{
	static struct list all, some, shared;
	const uintptr_t from = (uintptr_t)begin + 6 * KSM_PAGE, to = (uintptr_t)begin + 64 * KSM_PAGE;
	uint32_t next = 0, shares = 0;

	all.most = shared.most = MOST;
	some.most = 9;
	all.count = some.count = shared.count = 0;
	errno = 99;
	cr_assert_eq(ksm_os_each_mapping(add, &all), 0);
	cr_assert_eq(ksm_os_each_mapping_from(from, add, &some), 0);
	cr_assert_eq(ksm_os_each_shared_mapping(add, &shared), 0);
	cr_assert_eq(errno, 99);
	cr_assert_eq(some.count, 9, "it goes on until it has seen enough");
	cr_assert_leq(some.all[0].begin, from, "the first is what lies at the address");
	for (uint32_t i = 0; i < all.count; i++) {
		if (all.all[i].end <= from || all.all[i].begin >= to)
			continue;
		if (next < some.count)
			cr_assert(is_same(&all.all[i], &some.all[next++]), "mapping %u", i);
		if (all.all[i].is_private)
			continue;
		while (shares < shared.count && shared.all[shares].begin < all.all[i].begin)
			shares++;
		cr_assert(shares < shared.count && is_same(&all.all[i], &shared.all[shares]), "shared mapping %u", i);
	}
	cr_assert_geq(next, 7);
	for (uint32_t i = 0; i < shared.count; i++)
		cr_assert_not(shared.all[i].is_private);
}

Test(os_maps, one_by_one_as_in_the_text)
{
	unsigned char *begin = map_some();

	check(begin);
	check(begin);
}

/* The name by which a ring is known. */
Test(os_maps, names_of_shared_mappings)
{
	static struct list shared = { .most = MOST };
	int fd = memfd_create("ring", MFD_CLOEXEC);
	bool found = false;

	cr_assert_eq(ftruncate(fd, KSM_PAGE), 0);
	cr_assert_neq(mmap(NULL, KSM_PAGE, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	cr_assert_eq(ksm_os_each_shared_mapping(add, &shared), 0);
	for (uint32_t i = 0; i < shared.count; i++)
		found |= strncmp(shared.names[i], "/memfd:ring", 11) == 0;
	cr_assert(found);
}

static bool takes(uintptr_t address)
{
	static struct list list;

	list = (struct list){ .most = 1 };
	return ksm_os_each_mapping_from(address, add, &list) == 0 && list.count == 0;
}

Test(os_maps, behind_the_last_one)
{
	cr_assert(takes(UINTPTR_MAX));
	cr_assert(takes(UINTPTR_MAX - KSM_PAGE + 1));
}

/* Kernels before 6.11 do not know the call. */
Test(os_maps, where_the_kernel_cannot_be_asked)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { KSM_COUNT_OF(filter), filter };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	cr_assert(ksm_os_can_ask_for_mappings());
	check(map_some());
	cr_assert_not(ksm_os_can_ask_for_mappings());
	check(map_some());
}
