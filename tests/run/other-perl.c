// SPDX-License-Identifier: BSD-2-Clause
// A program that exports what a Perl of another version does. Who takes it for one that it knows reads an interpreter
// that is not there.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

uint16_t PL_interp_size = 1000;
uint16_t PL_interp_size_5_18_0 = 500;
void *PL_ppaddr[300];
void *PL_curinterp = (void *)16;
pthread_key_t PL_thr_key;
void Perl_despatch_signals(void);

void Perl_despatch_signals(void)
{
	abort();
}

int main(void)
{
	if (pthread_key_create(&PL_thr_key, NULL) || pthread_setspecific(PL_thr_key, PL_curinterp))
		return 1;
	for (int i = 0; i < 100000; i++) {
		if (!malloc(100))
			return 1;
	}
	puts("good");
	return 0;
}
