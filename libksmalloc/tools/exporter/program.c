/* SPDX-License-Identifier: BSD-2-Clause */
/* The program ksmalloc-exporter. */
#include <malloc.h>
#include <stddef.h>

#include "exporter/exporter.h"

/* As in the command (tools/main.c): copies of segments are mappings of their own. */
#define MAPPED_FROM (256 << 10)

int main(int argc, char **argv)
{
	mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
	return ksr_exporter_command.main(&ksr_exporter_command, argc, argv);
}
