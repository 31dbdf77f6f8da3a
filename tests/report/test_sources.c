/* SPDX-License-Identifier: BSD-2-Clause */
/* The parsers of /proc: real lines, lines of other kernels, and nonsense. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/cgroup.h"
#include "read/rollup.h"
#include "read/smaps.h"
#include "read/status.h"

static struct ksr_text text_of(const char *literal)
{
	struct ksr_text text = {.size = strlen(literal)};

	text.data = strdup(literal);
	return text;
}

static const char smaps_text[] =
	"10000000-10004000 rw-p 00000000 00:00 0                          [anon:ksmalloc f00]\n"
	"Size:                 16 kB\n"
	"Rss:                  12 kB\n"
	"Pss:                   5 kB\n"
	"Shared_Clean:          4 kB\n"
	"Shared_Dirty:          0 kB\n"
	"Private_Clean:         0 kB\n"
	"Private_Dirty:         8 kB\n"
	"Anonymous:            12 kB\n"
	"KSM:                   4 kB\n"
	"Swap:                  0 kB\n"
	"SwapPss:               9 kB\n"
	"THPeligible:           0\n"
	"VmFlags: rd wr mr mw me ac nh mg \n"
	"7f0000000000-7f0000001000 r-xp 00001000 fe:00 4711               /usr/lib/x y (deleted)\n"
	"Rss:                   4 kB\n"
	"7f0000002000-7f0000003000 rw-s 00000000 00:00 0 \n"
	"Rss:                   1 kB\n"
	"VmFlags: rd wr sh hg \n";

Test(sources, test_smaps_parse_fields)
{
	struct ksr_text text = text_of(smaps_text);
	struct ksr_smaps smaps;

	cr_assert_eq(ksr_smaps_parse(&text, &smaps), 0);
	cr_assert_eq(smaps.count, 3);
	cr_assert_eq(smaps.vmas[0].begin, 0x10000000);
	cr_assert_eq(smaps.vmas[0].end, 0x10004000);
	cr_assert_eq(smaps.vmas[0].rss, 12 * 1024);
	cr_assert_eq(smaps.vmas[0].pss, 5 * 1024);
	cr_assert_eq(smaps.vmas[0].shared_clean, 4 * 1024);
	cr_assert_eq(smaps.vmas[0].private_dirty, 8 * 1024);
	cr_assert_eq(smaps.vmas[0].ksm, 4 * 1024);
	cr_assert_eq(smaps.vmas[0].swap, 0, "SwapPss must not be taken for Swap");
	cr_assert_str_eq(smaps.vmas[0].name, "ksmalloc f00");
	cr_assert_eq(smaps.vmas[0].flags, KSR_VMA_MERGEABLE | KSR_VMA_NO_HUGE | KSR_VMA_HAS_KSM);
	cr_assert_eq(smaps.vmas[1].flags, KSR_VMA_FILE);
	cr_assert_eq(smaps.vmas[2].flags, KSR_VMA_SHARED | KSR_VMA_ASKED_HUGE);
	ksr_smaps_free(&smaps);
	free(text.data);
}

Test(sources, test_smaps_parse_every_truncation)
{
	for (size_t size = 0; size < sizeof(smaps_text); size++) {
		struct ksr_text text = {.data = malloc(size + 1), .size = size};
		struct ksr_smaps smaps;
		int error;

		memcpy(text.data, smaps_text, size);
		text.data[size] = '\0';
		error = ksr_smaps_parse(&text, &smaps);
		cr_assert(error == 0 || error == -EINVAL);
		if (!error) {
			cr_assert(smaps.count <= 3);
			ksr_smaps_free(&smaps);
		}
		free(text.data);
	}
}

Test(sources, test_smaps_parse_refuses_disorder)
{
	struct ksr_text text = text_of("2000-3000 rw-p 00000000 00:00 0 \n"
				       "1000-2000 rw-p 00000000 00:00 0 \n");
	struct ksr_smaps smaps;

	cr_assert_eq(ksr_smaps_parse(&text, &smaps), -EINVAL);
	free(text.data);
}

Test(sources, test_map_line_refuses_nonsense)
{
	static const char *const lines[] = {
		"",
		"x",
		"1000",
		"1000-",
		"1000-2000",
		"2000-1000 rw-p 00000000 00:00 0",
		"1000-2000 rw 00000000 00:00 0",
		"10000000000000000-2 rw-p 00000000 00:00 0",
		"1000-2000 rw-p 00000000 00:00 ",
		"1000-2000 rw-p 00000000 0000 0",
		"1000-2000 rw-p 00000000 00:00 99999999999999999999999",
	};
	struct ksr_map_line map;

	for (size_t i = 0; i < KSM_COUNT_OF(lines); i++)
		cr_assert_not(ksr_map_line_parse(lines[i], strlen(lines[i]), &map), "'%s'",
			      lines[i]);
	cr_assert(ksr_map_line_parse("1000-2000 rw-p 0000000a fe:1f 12 /a b", 37, &map));
	cr_assert_eq(map.offset, 10);
	cr_assert_eq(map.major, 0xfe);
	cr_assert_eq(map.minor, 0x1f);
	cr_assert_eq(map.inode, 12);
	cr_assert_eq(map.path_bytes, 4);
}

Test(sources, test_ksm_stat_parse)
{
	struct ksr_text text = text_of("ksm_rmap_items 7\nksm_zero_pages 2\nksm_merging_pages 5\n"
				       "ksm_process_profit -448\nksm_merge_any: no\n");
	struct ksr_ksm_stat stat;

	ksr_ksm_stat_parse(&text, &stat);
	cr_assert_eq(stat.rmap_items, 7);
	cr_assert_eq(stat.zero_pages, 2);
	cr_assert_eq(stat.merging_pages, 5);
	cr_assert_eq(stat.process_profit, -448);
	free(text.data);
}

Test(sources, test_ksm_stat_missing_lines_are_told_apart)
{
	struct ksr_text text = text_of("ksm_rmap_items 7\nksm_merging_pagesX 5\n");
	struct ksr_ksm_stat stat;

	ksr_ksm_stat_parse(&text, &stat);
	cr_assert_eq(stat.rmap_items, 7);
	cr_assert_eq(stat.merging_pages, KSR_NONE);
	free(text.data);
}

Test(sources, test_status_parse_command_with_parenthesis)
{
	struct ksr_text text =
		text_of("12 (a) b (c) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 998877 9\n");
	struct ksr_status status = {0};

	cr_assert(ksr_status_parse_stat(&text, &status));
	cr_assert_str_eq(status.command, "a) b (c");
	cr_assert_eq(status.parent, 7);
	cr_assert_eq(status.start_time_ticks, 998877);
	free(text.data);
}

Test(sources, test_status_parse_refuses_short_text)
{
	struct ksr_text text = text_of("12 (a) S 7");
	struct ksr_status status = {0};

	cr_assert_not(ksr_status_parse_stat(&text, &status));
	free(text.data);
}

Test(sources, test_chosen_word)
{
	char word[16];

	ksr_chosen_word("always [madvise] never\n", word, sizeof(word));
	cr_assert_str_eq(word, "madvise");
	ksr_chosen_word("nothing\n", word, sizeof(word));
	cr_assert_str_eq(word, "");
}

Test(sources, test_rollup_fields)
{
	struct ksr_text text = text_of("55d0-7ffe ---p 00000000 00:00 0                          [rollup]\n"
				       "Rss:                1756 kB\n"
				       "Pss:                 179 kB\n"
				       "Pss_Dirty:           116 kB\n"
				       "Pss_Anon:            100 kB\n"
				       "Private_Dirty:        16 kB\n"
				       "KSM:                   0 kB\n"
				       "Swap:                  8 kB\n"
				       "SwapPss:               4 kB\n");
	struct ksr_rollup rollup;

	cr_assert_eq(ksr_rollup_parse(&text, &rollup), 0);
	cr_assert_eq(rollup.rss, 1756 * 1024);
	cr_assert_eq(rollup.pss, 179 * 1024);
	cr_assert_eq(rollup.pss_anonymous, 100 * 1024);
	cr_assert_eq(rollup.private_dirty, 16 * 1024);
	cr_assert_eq(rollup.ksm, 0);
	cr_assert_eq(rollup.swap, 8 * 1024);
	cr_assert_eq(rollup.swap_pss, 4 * 1024);
	cr_assert_eq(rollup.pss_shmem, KSR_NONE, "what the kernel does not tell is not 0");
	free(text.data);
}

Test(sources, test_rollup_of_nothing)
{
	static const char *const texts[] = {"", "Rss: 4 kB\n", "Pss: 4 kB\nRss:\n", "Rss: 99999999999999999999 kB\nPss: 1 kB\n"};
	struct ksr_rollup rollup;

	for (size_t i = 0; i < KSM_COUNT_OF(texts); i++) {
		struct ksr_text text = text_of(texts[i]);

		cr_assert_eq(ksr_rollup_parse(&text, &rollup), -EINVAL, "%s", texts[i]);
		free(text.data);
	}
}

Test(sources, test_stat_tells_state_and_processor_time)
{
	struct ksr_text text = text_of("7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 50 7 0 0 20 0 1 0 999 10000 200 "
				       "18446744073709551615 1 2 140000 0 0\n");
	struct ksr_text old = text_of("7 (b) R 1 7 7 0 -1 4194560 1 2 3 4 50 7 0 0 20 0 1 0 999");
	struct ksr_status status;

	cr_assert(ksr_status_parse_stat(&text, &status));
	cr_assert_eq(status.state, 'S');
	cr_assert_eq(status.cpu_ticks, 57);
	cr_assert_eq(status.start_time_ticks, 999);
	cr_assert_eq(status.start_stack, 140000);
	cr_assert(ksr_status_parse_stat(&old, &status), "what follows the start time may be missing");
	cr_assert_eq(status.start_time_ticks, 999);
	cr_assert_eq(status.start_stack, 0);
	free(text.data);
	free(old.data);
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Lines of docker, podman, containerd, CRI-O with both drivers of cgroups; and what is no container, or not yet one. */
Test(sources, test_cgroup_container)
{
	static const struct {
		const char *text;
		const char *container;
	} cases[] = {
		{"0::/system.slice/docker-" ID ".scope\n", "0123456789ab"},
		{"0::/docker/" ID "\n", "0123456789ab"},
		{"0::/machine.slice/libpod-" ID ".scope/container\n", "0123456789ab"},
		{"0::/libpod_parent/libpod-" ID "\n", "0123456789ab"},
		{"12:pids:/kubepods/burstable/pod1d2c-33/" ID "\n1:name=systemd:/x\n", "0123456789ab"},
		{"0::/kubepods.slice/kubepods-pod1d.slice/cri-containerd-" ID ".scope\n", "0123456789ab"},
		{"0::/kubepods.slice/crio-" ID ".scope\n", "0123456789ab"},
		{"0::/docker/" ID "/docker/fedc" ID "\n", "0123456789ab"},
		{"0::/machine.slice/libpod-conmon-" ID ".scope\n", ""},
		{"0::/user.slice/user-0.slice/session-1.scope\n", ""},
		{"0::/docker/" ID "0\n", ""},
		{"0::/\n", ""},
		{"", ""},
		{"0::docker-0123\n/////\n", ""},
	};
	char container[KSR_CONTAINER_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ksr_text text = text_of(cases[i].text);

		ksr_cgroup_parse(&text, container);
		cr_assert_str_eq(container, cases[i].container, "%s", cases[i].text);
		ksr_text_free(&text);
	}
}
