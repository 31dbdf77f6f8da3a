/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning and the end of the library in a program that loads or links it.
 * malloc is called before the constructor runs, by the loader and by other
 * libraries; the constructor is only the latest moment at which options are read.
 */
#include "arena/aside.h"
#include "mapping/image.h"
#include "system/late.h"
#include "layout/layout.h"
#include "calls/start.h"

#include <unistd.h>

__attribute__((constructor(101))) static void start(int argc, char **argv, char **environment)
{
	(void)argc;
	if (!environment)
		environment = environ;
	ksm_start_init(environment);
	/* Sanitizers insist on ranges of addresses that a group may have its libraries in. */
	if (argv && environment && !ksm_aside() && ksm_late_is_at_start())
		ksm_layout_execute_again(argv, environment);
	ksm_start_publish();
	ksm_image_refresh();
}

__attribute__((destructor(101))) static void end(void)
{
	ksm_start_fini();
}
