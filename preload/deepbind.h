/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deepbind: RTLD_DEEPBIND without a second malloc.
 *
 * What it is: an object that is opened with the flag looks names up in itself, its
 * dependencies and libc before it looks in the program. So it would get libc's malloc, and its
 * blocks would be freed by ours, or ours by libc. Before the first such call, the entries of the
 * malloc family (and of what else the library replaces) in libc's table of dynamic symbols are
 * made to lead here. The flag is kept: all other names are found where it says.
 *
 * Why there: a lookup takes the address out of that table, whoever makes it and whenever: while
 * the object is loaded (its constructors run before dlopen(3) returns), at a function's first call
 * when it is bound lazily, or by dlsym(3). Hashes, versions and names stay as they are, and
 * nothing has to be known of the files that are about to be loaded. Pages that are written become
 * the process's own (64 KiB of glibc 2.36), hence not before the flag is used.
 *
 * Other libraries with a malloc that the program was started with (a program linked with one, and
 * the library loaded before it) get the same for the malloc family: nobody has called theirs. An
 * object that brings a malloc with it and is opened with the flag uses its own, as
 * it asks for, and keeps its blocks to itself, as it has to without this library.
 *
 * What it is not: a change of other namespaces (dlmopen(3) with LM_ID_NEWLM), which have a libc
 * and blocks of their own; nor of what was bound or looked up before.
 * Locking: the loader's own lock, by dl_iterate_phdr(3). Entries are written as whole words.
 * Failure: where the table cannot be written, the flag is taken away, which is right for blocks
 * and wrong for names; KSMALLOC_VERBOSE says so once.
 */
#ifndef KSM_DEEPBIND_H
#define KSM_DEEPBIND_H

#include "base.h"

#include <pthread.h>

/* The mode to open with in place of mode, which has RTLD_DEEPBIND. */
KSM_COLD int ksm_deepbind_mode(int mode);

/*
 * What libc's own entries lead to. Not to the exported names: those call the next library's
 * function of that name, which may look libc's up for the first time now, and would come back.
 */
void *ksm_deepbind_dlopen(const char *file, int mode);
void *ksm_deepbind_dlmopen(long name_space, const char *file, int mode);
int ksm_deepbind_dlclose(void *handle);
int ksm_deepbind_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
				void *(*routine)(void *), void *argument);

/* libc's own functions behind those. Synchronization: written before anybody is led here. */
struct ksm_deepbind_libc {
	void *(*dlopen)(const char *file, int mode);
	void *(*dlmopen)(long name_space, const char *file, int mode);
	int (*dlclose)(void *handle);
	int (*pthread_create)(pthread_t *thread, const pthread_attr_t *attributes,
			      void *(*routine)(void *), void *argument);
};

extern struct ksm_deepbind_libc ksm_deepbind_libc;

#endif
