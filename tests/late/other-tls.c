/* SPDX-License-Identifier: BSD-2-Clause */
/* Another library with static TLS, which is to find room after libksmalloc. */
static __thread char space[256] __attribute__((tls_model("initial-exec")));

char *other_space(void);

char *other_space(void)
{
	return space;
}
