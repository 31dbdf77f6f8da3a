/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * __register_atfork, which every pthread_atfork(3) ends in: the first one of the process, whosever it
 * is, registers our handlers before. Handlers that prepare a fork run in the opposite order of their
 * registration, so that ours, which take all locks, run last; whoever allocates in one of the others, or
 * waits for a thread that allocates, does not wait for us.
 */
#include "base.h"
#include "calls/start.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

typedef void handler_function(void);
typedef int register_function(handler_function *prepare, handler_function *parent,
			      handler_function *child, void *library);

KSM_EXPORT register_function __register_atfork;

static register_function *next_register;

__attribute__((constructor)) static void find_next(void)
{
	next_register = (register_function *)dlsym(RTLD_NEXT, "__register_atfork");
}

KSM_EXPORT int __register_atfork(handler_function *prepare, handler_function *parent,
				 handler_function *child, void *library)
{
	ksm_start_init(environ);
	if (ksm_unlikely(!next_register))
		find_next();
	return ksm_likely(next_register) ? next_register(prepare, parent, child, library) : ENOMEM;
}
