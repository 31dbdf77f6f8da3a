/* SPDX-License-Identifier: BSD-2-Clause */
#include "offer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM_BYTES (256 * 1024)
#define PAGE_BYTES 4096

volatile uint64_t offer_not_alone;
volatile uint64_t offer_begun[OFFERED_COUNT];
volatile uint64_t offer_ended[OFFERED_COUNT];

/* What is called from outside keeps off errno, which belongs to the thread. */
static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
#ifdef __x86_64__
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
#else
	result = syscall(number, a, b, c, d, e, f);
#endif
	return result;
}

static int64_t empty(void)
{
	offer_begun[OFFERED_EMPTY]++;
	offer_ended[OFFERED_EMPTY]++;
	return 7;
}

static int64_t scribble(uint64_t a, uint64_t b, uint64_t c)
{
	offer_begun[OFFERED_SCRIBBLE]++;
#ifdef __x86_64__
	static const uint32_t control = 0x1f80;

	/* The other registers belong to the caller by the rules of calls, and entry.c is one. */
	if (__builtin_cpu_supports("avx2"))
		__asm__ volatile("vpcmpeqb %%ymm0, %%ymm0, %%ymm0\n vmovdqa %%ymm0, %%ymm1\n vmovdqa %%ymm0, %%ymm2\n"
				 "vmovdqa %%ymm0, %%ymm3\n vmovdqa %%ymm0, %%ymm4\n vmovdqa %%ymm0, %%ymm5\n"
				 "vmovdqa %%ymm0, %%ymm6\n vmovdqa %%ymm0, %%ymm7\n vmovdqa %%ymm0, %%ymm8\n"
				 "vmovdqa %%ymm0, %%ymm9\n vmovdqa %%ymm0, %%ymm10\n vmovdqa %%ymm0, %%ymm11\n"
				 "vmovdqa %%ymm0, %%ymm12\n vmovdqa %%ymm0, %%ymm13\n vmovdqa %%ymm0, %%ymm14\n"
				 "vmovdqa %%ymm0, %%ymm15\n" ::
					 : "memory");
	__asm__ volatile("fninit\n fldpi\n fldpi\n"
			 "ldmxcsr %0\n clc\n cld\n"
			 "movl $0, %%eax\n movl $0, %%ecx\n movl $0, %%r8d\n movl $0, %%r9d\n"
			 "movl $0, %%r10d\n movl $0, %%r11d\n"
			 :: "m"(control) : "rax", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
#endif
	offer_ended[OFFERED_SCRIBBLE]++;
	return (int64_t)(a + b + c);
}

static int64_t fault(void)
{
	volatile int *nowhere = (volatile int *)(uintptr_t)16;

	/* The compiler would know better. */
	__asm__("" : "+r"(nowhere));
	offer_begun[OFFERED_FAULT]++;
	*nowhere = 1;
	return 0;
}

static int64_t replace(uint64_t address, uint64_t pages)
{
	static uint64_t bounce[PAGE_BYTES / sizeof(uint64_t)];

	offer_begun[OFFERED_REPLACE]++;
	for (uint64_t i = 0; i < pages; i++) {
		volatile uint64_t *page = (volatile uint64_t *)(uintptr_t)(address + i * PAGE_BYTES);
		long got;

		for (size_t w = 0; w < PAGE_BYTES / sizeof(uint64_t); w++)
			bounce[w] = page[w];
		got = raw(SYS_mmap, (long)page, PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (got < 0)
			return got;
		for (size_t w = 0; w < PAGE_BYTES / sizeof(uint64_t); w++)
			page[w] = bounce[w];
	}
	offer_ended[OFFERED_REPLACE]++;
	return (int64_t)pages;
}

static int64_t alone(uint64_t address, uint64_t count, uint64_t turns)
{
	const volatile uint64_t *counters = (const volatile uint64_t *)(uintptr_t)address;
	uint64_t before[64];
	int64_t changed = 0;

	offer_begun[OFFERED_ALONE]++;
	for (uint64_t i = 0; i < count && i < 64; i++)
		before[i] = counters[i];
	for (uint64_t i = 0; i < turns; i++)
		__asm__ volatile("" ::: "memory");
	for (uint64_t i = 0; i < count && i < 64; i++)
		changed += before[i] != counters[i];
	if (changed)
		offer_not_alone++;
	offer_ended[OFFERED_ALONE]++;
	return changed;
}

static int64_t last(uint64_t address)
{
	volatile uint32_t *words = (volatile uint32_t *)(uintptr_t)address;

	offer_begun[OFFERED_LONG]++;
	words[0] = 1;
	while (!words[1])
		__asm__ volatile("" ::: "memory");
	offer_ended[OFFERED_LONG]++;
	return 9;
}

static unsigned int filters(void)
{
	char text[4096];
	const char *place;
	ssize_t size;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	place = strstr(text, "\nSeccomp_filters:");
	return place ? (unsigned int)strtoul(place + 17, NULL, 10) : 0;
}

int offer_make(struct offer *offer)
{
	void *room = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return -errno;
	*offer = (struct offer){
		.room = {.address = (uintptr_t)room, .bytes = ROOM_BYTES, .begin = (uintptr_t)ksr_entry_begin,
			 .failed = (uintptr_t)ksr_entry_failed, .end = (uintptr_t)ksr_entry_end,
			 .park = (uintptr_t)ksr_entry_park, .rest = (uintptr_t)ksr_entry_rest, .filters = filters()},
		.functions = {[OFFERED_EMPTY] = (uintptr_t)empty, [OFFERED_SCRIBBLE] = (uintptr_t)scribble,
			      [OFFERED_FAULT] = (uintptr_t)fault, [OFFERED_REPLACE] = (uintptr_t)replace,
			      [OFFERED_ALONE] = (uintptr_t)alone, [OFFERED_LONG] = (uintptr_t)last},
	};
	return 0;
}

#ifdef KEEPER_OFFER_PRELOADED
__attribute__((constructor)) static void offer_at_start(void)
{
	const char *folder = getenv("KEEPER_OFFER");
	struct offer offer;
	char path[256];
	int fd;

	if (!folder || offer_make(&offer))
		return;
	snprintf(path, sizeof(path), "%s/%d", folder, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, &offer, sizeof(offer)) != (ssize_t)sizeof(offer))
		unlink(path);
	close(fd);
}
#endif
