/* SPDX-License-Identifier: BSD-2-Clause */
/* Which memory is what: regions of a real layout, and the small files that say who a process is. */
#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "segment_builder.h"
#include "read/space.h"

static const char smaps_text[] = "00400000-00401000 r--p 00000000 fe:00 11   /bin/p\n"
				 "00401000-00402000 r-xp 00001000 fe:00 11   /bin/p\n"
				 "00402000-00403000 rw-p 00002000 fe:00 11   /bin/p\n"
				 "Anonymous:             4 kB\n"
				 "00403000-00404000 rw-p 00000000 00:00 0 \n"
				 "Anonymous:             4 kB\n"
				 "00500000-00521000 rw-p 00000000 00:00 0    [heap]\n"
				 "Anonymous:             8 kB\n"
				 "10000000-10010000 rw-p 00000000 00:00 0    [anon:ksmalloc 1]\n"
				 "Anonymous:            64 kB\n"
				 "20000000-20020000 rw-p 00000000 00:00 0 \n"
				 "Anonymous:            64 kB\n"
				 "40000000-40800000 rw-p 00000000 00:00 0 \n"
				 "Anonymous:            64 kB\n"
				 "40800000-40802000 rw-p 40800000 00:01 9    /memfd:ksmalloc-store (deleted)\n"
				 "50000000-51000000 rw-p 00000000 00:00 0 \n"
				 "Anonymous:            64 kB\n"
				 "7f0000000000-7f0000001000 rw-p 00000000 fe:00 12   /data/a file\n"
				 "7f0000001000-7f0000002000 rw-p 00000000 fe:00 12   /data/a file\n"
				 "7f0000010000-7f0000011000 rw-s 00000000 00:01 13   /dev/shm/x\n"
				 "7ffff0000000-7ffff0021000 rw-p 00000000 00:00 0    [stack]\n"
				 "Anonymous:             8 kB\n"
				 "7ffff7fc1000-7ffff7fc5000 r--p 00000000 00:00 0    [vvar]\n";

/* Of the shared layout: two slots, a heap that ends inside of a mapping, a region of mappings. */
static void make_space(struct ksr_space *space, uint64_t heap_bytes)
{
	const struct builder builder = {
		.module_path = "/bin/p",
		.sites = 2,
		.slot_base = {0x10000000, 0x20000000},
		.slot_bytes = {0x10000, 0x10000},
		.frames = {0x10, 0x20},
	};
	static uint64_t pointers[] = {0x50100000};
	const struct ksr_stacks stacks = {pointers, 1, 0x800000};
	unsigned char *bytes = malloc(BUILDER_SEGMENT_BYTES);
	struct ksr_text smaps = {strdup(smaps_text), sizeof(smaps_text) - 1};
	char why[KSR_WHY_BYTES];

	memset(space, 0, sizeof(*space));
	space->page_bytes = 4096;
	builder_write(&builder, bytes);
	space->snapshot.data = bytes;
	space->snapshot.size = BUILDER_SEGMENT_BYTES;
	space->has_segment = true;
	cr_assert_eq(
		ksr_snapshot_validate(bytes, BUILDER_SEGMENT_BYTES, &space->snapshot.header, why),
		0);
	space->snapshot.header.heap_base = 0x40000000;
	space->snapshot.header.heap_bytes = heap_bytes;
	cr_assert_eq(ksr_space_parse(NULL, space, &smaps, "/bin/p", &stacks), 0);
	ksr_text_free(&smaps);
}

static enum ksr_region_kind kind_at(const struct ksr_space *space, uint64_t address)
{
	const struct ksr_range *range = ksr_space_find(space, address);

	return range ? space->regions[range->region].kind : KSR_REGION_KINDS;
}

Test(space, test_parse_regions)
{
	struct ksr_space space;

	make_space(&space, 0x1000000);
	cr_assert_eq(kind_at(&space, 0x402123), KSR_REGION_FILE);
	cr_assert_eq(kind_at(&space, 0x500000), KSR_REGION_BRK);
	cr_assert_eq(kind_at(&space, 0x1000ffff), KSR_REGION_SITE);
	cr_assert_eq(kind_at(&space, 0x40000000), KSR_REGION_HEAP);
	cr_assert_eq(kind_at(&space, 0x40801000), KSR_REGION_HEAP, "a store's pages are what lies there");
	cr_assert_neq(ksr_space_find(&space, 0x40801000)->store, 0);
	cr_assert(ksr_space_find(&space, 0x40801000)->populated, "also where nobody has looked at them");
	cr_assert_eq(ksr_space_find(&space, 0x40000000)->store, 0);
	cr_assert_eq(kind_at(&space, 0x7ffff0000000), KSR_REGION_STACK);
	cr_assert_eq(kind_at(&space, 0x7ffff7fc1000), KSR_REGION_FOREIGN);
	cr_assert_eq(kind_at(&space, 0x7f0000010000), KSR_REGION_FOREIGN, "shared");
	cr_assert_eq(kind_at(&space, 0x404000), KSR_REGION_KINDS, "the end is not part of it");
	cr_assert_eq(kind_at(&space, 0), KSR_REGION_KINDS);
	cr_assert_eq(kind_at(&space, UINT64_MAX), KSR_REGION_KINDS);
	cr_assert(space.regions[ksr_space_find(&space, 0x402000)->region].is_program);
	cr_assert(!ksr_space_find(&space, 0x400000)->populated);
	cr_assert(ksr_space_find(&space, 0x402000)->populated);
	ksr_space_destroy(&space);
}

/* Mappings that the kernel has joined are cut where slots, regions and stacks end. */
Test(space, test_parse_cuts_mappings)
{
	struct ksr_space space;

	make_space(&space, 0x200000);
	cr_assert_eq(kind_at(&space, 0x2000ffff), KSR_REGION_SITE);
	cr_assert_eq(kind_at(&space, 0x20010000), KSR_REGION_ANONYMOUS);
	cr_assert_eq(kind_at(&space, 0x401fffff), KSR_REGION_HEAP);
	cr_assert_eq(kind_at(&space, 0x40200000), KSR_REGION_ANONYMOUS);
	cr_assert_eq(kind_at(&space, 0x507fffff), KSR_REGION_THREAD_STACK);
	cr_assert_eq(kind_at(&space, 0x50800000), KSR_REGION_ANONYMOUS);
	for (size_t i = 1; i < space.range_count; i++)
		cr_assert_leq(space.ranges[i - 1].end, space.ranges[i].begin);
	ksr_space_destroy(&space);
}

/* A header that names a region past the end of the address space is survived. */
Test(space, test_parse_hostile_region)
{
	struct ksr_space space;

	make_space(&space, UINT64_MAX);
	cr_assert_eq(kind_at(&space, 0x40000000), KSR_REGION_HEAP);
	cr_assert_eq(kind_at(&space, 0x50000000), KSR_REGION_HEAP);
	ksr_space_destroy(&space);
}

Test(space, test_parse_file_mapped_twice)
{
	struct ksr_space space;
	uint32_t first;
	uint32_t second;

	make_space(&space, 0x1000000);
	first = ksr_space_find(&space, 0x7f0000000000)->region;
	second = ksr_space_find(&space, 0x7f0000001000)->region;
	cr_assert_neq(first, second);
	cr_assert_eq(space.regions[first].ordinal + 1, space.regions[second].ordinal);
	cr_assert_str_eq(space.regions[second].name, "/data/a file");
	ksr_space_destroy(&space);
}

Test(space, test_match)
{
	struct ksr_space first;
	struct ksr_space second;
	uint32_t *match;

	make_space(&first, 0x1000000);
	make_space(&second, 0x1000000);
	match = ksr_space_match(&first, &second);
	for (uint32_t i = 0; i < first.region_count; i++)
		cr_assert_eq(match[i], i);
	free(match);
	/* A site that the second has not, and a region that lies elsewhere. */
	for (uint32_t i = 0; i < second.region_count; i++) {
		if (second.regions[i].kind == KSR_REGION_HEAP)
			second.regions[i].base += 4096;
		if (second.regions[i].kind == KSR_REGION_SITE)
			second.regions[i].id += 100;
	}
	match = ksr_space_match(&first, &second);
	for (uint32_t i = 0; i < first.region_count; i++)
		cr_assert_eq(match[i],
			     first.regions[i].kind == KSR_REGION_SITE ? KSR_REGION_NONE : i);
	free(match);
	ksr_space_destroy(&first);
	ksr_space_destroy(&second);
}

Test(space, test_image_bytes)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segments[2];
	} file = {.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phoff = sizeof(Elf64_Ehdr),
			     .e_phnum = 2},
		  .segments = {{.p_type = PT_LOAD, .p_vaddr = 0x1010, .p_memsz = 0x100},
			       {.p_type = PT_LOAD, .p_vaddr = 0x4000, .p_memsz = 0x1234}}};

	cr_assert_eq(ksr_image_bytes(&file, sizeof(file)), 0x4234);
	cr_assert_eq(ksr_image_bytes(&file, sizeof(file) - 1), 0x110, "what was read counts");
	cr_assert_eq(ksr_image_bytes(&file, sizeof(file.header) - 1), 0);
	file.segments[1].p_memsz = UINT64_MAX;
	cr_assert_eq(ksr_image_bytes(&file, sizeof(file)), 0x110);
	file.header.e_phoff = UINT64_MAX;
	cr_assert_eq(ksr_image_bytes(&file, sizeof(file)), 0);
	file.header.e_ident[0] = 'x';
	cr_assert_eq(ksr_image_bytes(&file, sizeof(file)), 0);
}

static struct ksr_text text_of(char *text)
{
	return (struct ksr_text){text, strlen(text)};
}

Test(space, test_small_files)
{
	char call[] = "35 0x7ffd4e2c0a10 0x0 0x0 0x0 0x0 0x0 0x7ffd4e2c0900 0x7f1e2c0d5b5a\n";
	char running[] = "running\n";
	char outside[] = "-1 0x7ffd4e2c0900 0x7f1e2c0d5b5a\n";
	char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max stack size            8388608              unlimited            bytes\n";
	char unlimited[] =
		"Max stack size            unlimited            unlimited            bytes\n";
	char nothing[] = "";
	uint64_t auxv[] = {6, 4096, 25, 0x7ffd00001234, 0, 0};
	struct ksr_text pairs = {(char *)auxv, sizeof(auxv)};
	struct ksr_text text;

	text = text_of(call);
	cr_assert_eq(ksr_syscall_stack(&text), 0x7ffd4e2c0900);
	text = text_of(running);
	cr_assert_eq(ksr_syscall_stack(&text), 0);
	text = text_of(outside);
	cr_assert_eq(ksr_syscall_stack(&text), 0x7ffd4e2c0900);
	text = text_of(limits);
	cr_assert_eq(ksr_limits_stack(&text), 8388608);
	text = text_of(unlimited);
	cr_assert_eq(ksr_limits_stack(&text), 2 * KSM_MIB);
	text = text_of(nothing);
	cr_assert_eq(ksr_limits_stack(&text), 2 * KSM_MIB);
	cr_assert_eq(ksr_syscall_stack(&text), 0);
	cr_assert_eq(ksr_auxv_find(&pairs, 25), 0x7ffd00001234);
	cr_assert_eq(ksr_auxv_find(&pairs, 26), 0);
	pairs.size -= 8 * 3;
	cr_assert_eq(ksr_auxv_find(&pairs, 25), 0, "half an entry");
}
