/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of KSM, of the settings around it, and of calls that a filter may forbid. */
#define _GNU_SOURCE
#include "doctor/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "doctor/hints.h"
#include "read/kernel.h"
#include "personality.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68
#endif

/* What the kernel starts with; it merges 20 MiB/s at most. */
#define DEFAULT_PAGES_TO_SCAN 100
#define SLOW_MIB_PER_SECOND 64

/* What to do about a setting, of which the one that sets it is asked first. */
static const char *advise(const struct ksr_owner *owner, const char *ours)
{
	return owner->name ? owner->advice : ours;
}

static void check_run(const struct ksr_kernel *kernel, const struct ksr_owner *owner, struct ksr_findings *findings)
{
	if (owner->name)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_owner", "",
			 "%s owns KSM's settings: it starts and stops KSM, and sets its speed", owner->name);
	if (kernel->run == 1)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_run", "", "KSM runs");
	else if (kernel->run == 2)
		ksr_find(findings, KSR_LEVEL_BAD, "ksm_run",
			 advise(owner, "as root: echo 1 > /sys/kernel/mm/ksm/run"),
			 "KSM is stopped and has unmerged all pages (run is 2)");
	else
		/* An owner has reasons: ksmtuned starts it when memory gets short. */
		ksr_find(findings, owner->name ? KSR_LEVEL_WARN : KSR_LEVEL_BAD, "ksm_run",
			 advise(owner, "as root: ksmalloc doctor --fix, or echo 1 > /sys/kernel/mm/ksm/run"),
			 "KSM does not run (run is 0)");
}

/* MiB a second at most: a sleep of 0 still yields, and a millisecond is a fair bound of the speed.
 */
static double scan_rate(const struct ksr_kernel *kernel)
{
	return (double)kernel->pages_to_scan * (double)sysconf(_SC_PAGESIZE) / (double)KSM_MIB *
	       1000.0 / (double)ksm_max(kernel->sleep_millisecs, 1);
}

bool ksr_is_huge_sleep(const struct ksr_kernel *kernel)
{
	uint64_t sleep = kernel->sleep_millisecs;

	if (sleep == KSR_NONE || kernel->pages_to_scan == KSR_NONE)
		return false;
	/* A second is long where batches are not large in return, and a minute is long in any case.
	 */
	return sleep >= 60000 || (sleep >= 1000 && scan_rate(kernel) < SLOW_MIB_PER_SECOND);
}

/* Settings under which a KSM that runs does nothing, or as good as nothing; false: there are none.
 */
static bool check_standstill(const struct ksr_kernel *kernel, const struct ksr_owner *owner, struct ksr_findings *findings)
{
	bool huge_sleep = ksr_is_huge_sleep(kernel);

	if (kernel->pages_to_scan == 0)
		ksr_find(
			findings, KSR_LEVEL_BAD, "ksm_pages_to_scan",
			ksr_owner_is_advisor(kernel)
				? "as root: set /sys/kernel/mm/ksm/advisor_min_pages_to_scan to 500"
				: advise(owner, "as root: ksmalloc doctor --fix, or echo 1000 > "
						"/sys/kernel/mm/ksm/pages_to_scan"),
			"KSM scans nothing: pages_to_scan is 0");
	if (huge_sleep)
		ksr_find(findings, KSR_LEVEL_BAD, "ksm_sleep_millisecs",
			 advise(owner, "as root: ksmalloc doctor --fix, or echo 20 > "
				       "/sys/kernel/mm/ksm/sleep_millisecs"),
			 "KSM sleeps %.*f s after each %" PRIu64
			 " pages: sleep_millisecs is %" PRIu64,
			 kernel->sleep_millisecs % 1000 ? 1 : 0,
			 (double)kernel->sleep_millisecs / 1000.0, kernel->pages_to_scan,
			 kernel->sleep_millisecs);
	return huge_sleep || kernel->pages_to_scan == 0;
}

static void check_speed(const struct ksr_kernel *kernel, const struct ksr_owner *owner, struct ksr_findings *findings)
{
	double rate = scan_rate(kernel);

	if (kernel->pages_to_scan == KSR_NONE || kernel->sleep_millisecs == KSR_NONE ||
	    check_standstill(kernel, owner, findings))
		return;
	if (ksr_owner_is_advisor(kernel))
		ksr_find(findings, KSR_LEVEL_OK, "ksm_speed", "",
			 "KSM's advisor '%s' sets the speed, now %" PRIu64 " pages a batch",
			 kernel->advisor_mode, kernel->pages_to_scan);
	else if (owner->name)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_speed", "", "%s sets the speed, now %" PRIu64 " pages every %" PRIu64 " ms",
			 owner->name, kernel->pages_to_scan, kernel->sleep_millisecs);
	else if (rate < SLOW_MIB_PER_SECOND)
		ksr_find(findings, KSR_LEVEL_WARN, "ksm_speed",
			 "as root: ksmalloc doctor --fix, or a larger number in "
			 "/sys/kernel/mm/ksm/pages_to_scan",
			 "KSM scans at most %.0f MiB/s (%" PRIu64 " pages every %" PRIu64 " ms)%s",
			 rate, kernel->pages_to_scan, kernel->sleep_millisecs,
			 kernel->pages_to_scan == DEFAULT_PAGES_TO_SCAN
				 ? ": the kernel's default is a value for demonstration"
				 : "");
	else
		ksr_find(findings, KSR_LEVEL_OK, "ksm_speed", "",
			 "KSM scans at most %.0f MiB/s (%" PRIu64 " pages every %" PRIu64 " ms)",
			 rate, kernel->pages_to_scan, kernel->sleep_millisecs);
}

static void check_details(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
			  struct ksr_findings *findings)
{
	if (fs->live)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_writable", "",
			 ksr_fs_writable(fs, "sys/kernel/mm/ksm/run")
				 ? "this user may change KSM's settings"
				 : "only root may change KSM's settings");
	if (kernel->smart_scan != KSR_NONE)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_smart_scan", "",
			 kernel->smart_scan ? "smart_scan is on: pages that did not merge are "
					      "visited less often"
					    : "smart_scan is off");
	if (kernel->max_page_sharing != KSR_NONE && kernel->max_page_sharing < 16)
		ksr_find(findings, KSR_LEVEL_WARN, "ksm_max_page_sharing",
			 "set /sys/kernel/mm/ksm/max_page_sharing to 256; KSM must have no merged "
			 "pages then",
			 "one merged page stands for %" PRIu64 " pages at most",
			 kernel->max_page_sharing);
	else if (kernel->max_page_sharing != KSR_NONE)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_max_page_sharing", "",
			 "one merged page stands for %" PRIu64 " pages at most",
			 kernel->max_page_sharing);
	if (kernel->use_zero_pages != KSR_NONE)
		ksr_find(findings, KSR_LEVEL_OK, "ksm_use_zero_pages", "",
			 kernel->use_zero_pages ? "zero pages become the kernel's zero page"
						: "zero pages are merged like any other");
}

static void check_ksm(const struct ksr_fs *fs, const struct ksr_owner *owner, struct ksr_findings *findings)
{
	struct ksr_kernel kernel;

	ksr_kernel_read(fs, &kernel);
	if (!kernel.present) {
		ksr_find(findings, KSR_LEVEL_BAD, "ksm",
			 "use a kernel with CONFIG_KSM; in a container, make /sys visible",
			 "there is no /sys/kernel/mm/ksm: this kernel has no KSM, or hides it");
		return;
	}
	check_run(&kernel, owner, findings);
	check_speed(&kernel, owner, findings);
	check_details(fs, &kernel, findings);
	ksr_check_hints(fs, &kernel, findings);
}

static void check_memory_settings(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	struct ksr_text text;
	uint64_t value;
	char word[32];

	if (ksr_fs_read(fs, &text, "sys/kernel/mm/transparent_hugepage/enabled") == 0) {
		ksr_chosen_word(text.data, word, sizeof(word));
		ksr_text_free(&text);
		ksr_find(findings, KSR_LEVEL_OK, "huge_pages", "",
			 "transparent huge pages: %s; mergeable memory opts out of them", word);
	}
	if (ksr_fs_read_u64(fs, &value, "proc/sys/vm/overcommit_memory") == 0) {
		if (value == 2)
			ksr_find(
				findings, KSR_LEVEL_WARN, "overcommit_memory",
				"set vm.overcommit_memory to 0 or 1, or a larger "
				"vm.overcommit_ratio",
				"vm.overcommit_memory is 2: reserved address space counts as used");
		else
			ksr_find(findings, KSR_LEVEL_OK, "overcommit_memory", "",
				 "vm.overcommit_memory is %" PRIu64, value);
	}
}

/* A call that seccomp forbids fails with EPERM, or with what the filter's author chose. */
static void check_calls(struct ksr_findings *findings)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, bytes, MADV_MERGEABLE) == 0)
		ksr_find(findings, KSR_LEVEL_OK, "madvise", "",
			 "madvise(MADV_MERGEABLE) works in this process");
	else
		ksr_find(findings, KSR_LEVEL_BAD, "madvise",
			 errno == EINVAL ? "use a kernel with CONFIG_KSM"
					 : "let the seccomp profile of the container allow madvise",
			 "madvise(MADV_MERGEABLE) fails in this process: %s",
			 strerrorname_np(errno));
	if (prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) >= 0)
		ksr_find(findings, KSR_LEVEL_OK, "prctl", "",
			 "prctl(PR_SET_MEMORY_MERGE) is offered by this kernel");
	else
		ksr_find(findings, KSR_LEVEL_OK, "prctl", "",
			 "prctl(PR_SET_MEMORY_MERGE) is not offered: %s", strerrorname_np(errno));
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page, bytes, "ksmalloc test") == 0)
		ksr_find(findings, KSR_LEVEL_OK, "vma_names", "", "the kernel names memory in maps");
	else
		ksr_find(findings, KSR_LEVEL_OK, "vma_names", "",
			 "the kernel does not name memory in maps (%s); nothing relies on it",
			 strerrorname_np(errno));
	munmap(page, bytes);
}

/* What `ksmalloc run --layout=shared` asks of this process's surroundings. */
static void check_layout(struct ksr_findings *findings)
{
	int error = ksr_personality_try();

	if (!error)
		ksr_find(findings, KSR_LEVEL_OK, "personality", "",
			 "personality(ADDR_NO_RANDOMIZE) is permitted: the shared layout can be "
			 "had");
	else
		ksr_find(
			findings, KSR_LEVEL_WARN, "personality",
			"start the container with the seccomp profile of examples/container, or do "
			"without --layout=shared",
			"personality(ADDR_NO_RANDOMIZE) is forbidden (%s), as in the default "
			"profile of "
			"docker and podman: no shared layout here",
			strerrorname_np(error));
}

void ksr_check_kernel(const struct ksr_fs *fs, const struct ksr_owner *owner, struct ksr_findings *findings)
{
	check_ksm(fs, owner, findings);
	check_memory_settings(fs, findings);
	if (fs->live) {
		check_calls(findings);
		check_layout(findings);
	}
}
