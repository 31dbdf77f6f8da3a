/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addresses: prints where things lie in this process, for bench/shared-entropy.
 *
 * One line of hexadecimal numbers: a function of libc, the vdso, a placed block,
 * a small block, a mapping, the stack and the program itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define PLACED_BYTES ((size_t)1 << 20)

int main(int argc, char **argv)
{
	/* All from one site; the first that its site has grown for is placed. */
	char *placed = NULL;
	void *mapping = mmap(NULL, PLACED_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *small = malloc(64);

	(void)argc;
	for (int i = 0; i < 4; i++)
		placed = malloc(PLACED_BYTES);
	if (mapping == MAP_FAILED || !small || !placed)
		return 1;
	memset(placed, 1, PLACED_BYTES);
	printf("%lx %lx %lx %lx %lx %lx %lx\n", (unsigned long)&puts,
	       getauxval(AT_SYSINFO_EHDR), (unsigned long)placed, (unsigned long)small,
	       (unsigned long)mapping, (unsigned long)argv, (unsigned long)&main);
	return 0;
}
