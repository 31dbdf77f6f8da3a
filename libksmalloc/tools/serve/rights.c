/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "serve/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user of no rights where no file names one, as in a container that has nothing but the exporter. */
#define NOBODY_NUMBER 65534
/* Since Linux 5.9; headers may be older. */
#define CHECKPOINT_RESTORE 40

/* --- names ------------------------------------------------------------------------------------------ */

/* A number up to end, which no user or group has as "nobody in particular" (-1). */
static bool parse_number(const char *text, char end, unsigned int *number)
{
	char *after;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &after, 10);
	*number = (unsigned int)value;
	return !errno && *after == end && value < UINT32_MAX;
}

static bool parse_numbers(const char *text, struct ksr_person *person)
{
	const char *colon = strchr(text, ':');

	if (colon)
		return parse_number(text, ':', &person->user) && parse_number(colon + 1, '\0', &person->group);
	if (!parse_number(text, '\0', &person->user))
		return false;
	person->group = person->user;
	return true;
}

int ksr_rights_find(const char *text, struct ksr_person *person, char why[KSR_RIGHTS_WHY_BYTES])
{
	const struct passwd *entry;

	if (parse_numbers(text, person))
		return 0;
	entry = getpwnam(text);
	if (entry) {
		*person = (struct ksr_person){entry->pw_uid, entry->pw_gid};
		return 0;
	}
	if (strcmp(text, KSR_RIGHTS_NOBODY) == 0) {
		*person = (struct ksr_person){NOBODY_NUMBER, NOBODY_NUMBER};
		return 0;
	}
	snprintf(why, KSR_RIGHTS_WHY_BYTES, "is no user here; give a name, a number, or UID:GID");
	return -EINVAL;
}

int ksr_rights_find_group(const char *text, gid_t *group, char why[KSR_RIGHTS_WHY_BYTES])
{
	const struct group *entry;

	if (parse_number(text, '\0', group))
		return 0;
	entry = getgrnam(text);
	if (entry) {
		*group = entry->gr_gid;
		return 0;
	}
	snprintf(why, KSR_RIGHTS_WHY_BYTES, "is no group here; give a name or a number");
	return -EINVAL;
}

/* --- the change --------------------------------------------------------------------------------------- */

int ksr_rights_become(const struct ksr_person *person)
{
	if (setgroups(0, NULL) || setresgid(person->group, person->group, person->group) ||
	    setresuid(person->user, person->user, person->user))
		return -errno;
	return 0;
}

static bool has(const struct __user_cap_data_struct set[2], int capability)
{
	return set[capability / 32].effective >> capability % 32 & 1;
}

/* kept is a mask; nobody gets what he had not. unless: nothing is given up where this capability is not there. */
static void keep(uint64_t kept, int unless)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct set[2];

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &head, set))
		memset(set, 0, sizeof(set));
	if (unless >= 0 && !has(set, unless))
		return;
	for (int i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(kept >> 32 * i);

		set[i].permitted &= mask;
		set[i].effective &= mask;
		set[i].inheritable = 0;
	}
	(void)syscall(SYS_capset, &head, set);
}

void ksr_rights_drop_all(void)
{
	keep(0, -1);
}

/*
 * Who has no CAP_SYS_PTRACE, as root in a container by default, can read processes of his own user that have no capability which
 * he has not: then what he gives up he loses sight of.
 */
void ksr_rights_drop_but_reading(void)
{
	keep(UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH | UINT64_C(1) << CHECKPOINT_RESTORE, CAP_SYS_PTRACE);
}
