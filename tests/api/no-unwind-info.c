/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions without unwind information, hand-written and with odd frames, call
 * malloc: the stack ends there for the library, and the program must not notice.
 */
#include "test.h"

#if defined(__x86_64__)
/* Each takes the size; they differ in where the return address seems to lie. */
__asm__(".text\n"
	".type bare_plain, @function\n"
	"bare_plain:\n\tsub $8, %rsp\n\tcall *%rsi\n\tadd $8, %rsp\n\tret\n"
	".size bare_plain, .-bare_plain\n"
	".type bare_zeroed, @function\n"
	/* A null where a frame pointer is expected, and misleading words on the stack. */
	"bare_zeroed:\n\tpush %rbp\n\tpush %rbx\n\txor %ebp, %ebp\n\tsub $1048, %rsp\n"
	"\tmov %rsp, %rbx\n\tcall *%rsi\n\tadd $1048, %rsp\n\tpop %rbx\n\tpop %rbp\n\tret\n"
	".size bare_zeroed, .-bare_zeroed\n"
	".type bare_wild, @function\n"
	/* A frame pointer that points nowhere: following it would be a fault. */
	"bare_wild:\n\tpush %rbp\n\tmov $0x123456789a8, %rbp\n\tcall *%rsi\n\tpop %rbp\n\tret\n"
	".size bare_wild, .-bare_wild\n"
	".type bare_loop, @function\n"
	/* A frame pointer to itself: following it would never end. */
	"bare_loop:\n\tpush %rbp\n\tsub $32, %rsp\n\tlea 16(%rsp), %rbp\n\tmov %rbp, (%rbp)\n"
	"\tlea bare_loop(%rip), %rax\n\tmov %rax, 8(%rbp)\n\tcall *%rsi\n\tadd $32, %rsp\n\tpop %rbp\n\tret\n"
	".size bare_loop, .-bare_loop\n");

void *bare_plain(size_t size, void *(*function)(size_t));
void *bare_zeroed(size_t size, void *(*function)(size_t));
void *bare_wild(size_t size, void *(*function)(size_t));
void *bare_loop(size_t size, void *(*function)(size_t));

int main(void)
{
	void *(*const ways[])(size_t size, void *(*function)(size_t)) = { bare_plain, bare_zeroed,
									   bare_wild, bare_loop };
	void *blocks[TEST_COUNT_OF(ways)][64];

	for (size_t w = 0; w < TEST_COUNT_OF(ways); w++) {
		for (size_t i = 0; i < 64; i++) {
			blocks[w][i] = ways[w](30000 + i, malloc);
			CHECK(blocks[w][i] != NULL);
			test_fill(blocks[w][i], 30000 + i, w * 64 + i);
		}
	}
	for (size_t w = 0; w < TEST_COUNT_OF(ways); w++) {
		for (size_t i = 0; i < 64; i++) {
			CHECK(test_matches(blocks[w][i], 30000 + i, w * 64 + i));
			free(blocks[w][i]);
		}
	}
	return 0;
}
#else
int main(void)
{
	test_skip("the assembly is for x86-64 only");
}
#endif
