/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks what the filters deny: whether it is kept out, and what they do not reach. */
#include "doctor/exclusion.h"
#include "judge/exclusion.h"
#include "names/human.h"

void ksr_check_exclusion(const struct ksr_process *process, struct ksr_findings *findings)
{
	int pid = (int)process->snapshot.pid;
	const char *command = process->status.command;
	struct ksr_exclusion exclusion;
	char text[KSR_HUMAN_BYTES];

	if (ksr_exclusion_find(process, &exclusion) || !exclusion.is_asked)
		return;
	if (exclusion.leaking) {
		ksr_human_bytes(exclusion.leaking, text);
		ksr_find(findings, KSR_LEVEL_BAD, "denied_merges",
			 "find what in the process calls madvise(MADV_MERGEABLE) or prctl(PR_SET_MEMORY_MERGE) "
			 "after its start; a process that is mergeable from its start on (MemoryKSM=yes, "
			 "--advise=process) keeps out what is denied",
			 "process %d (%s): %s of denied or private blocks can merge all the same", pid,
			 command, text);
	}
	if (!exclusion.beside)
		return;
	ksr_human_bytes(exclusion.beside, text);
	ksr_find(findings, KSR_LEVEL_WARN, "filters_do_not_reach",
		 exclusion.is_whole ?
			 "if it must not: take MemoryKSM=yes out of the unit, or --advise=process "
			 "from the command" :
			 "if it must not: deny label:data and label:mappings, too",
		 exclusion.is_whole ?
			 "process %d (%s) denies sites to KSM; %s of stacks, data of programs and memory that it "
			 "maps itself can merge, because the whole process was made mergeable" :
			 "process %d (%s) denies sites to KSM; %s of data of programs and memory that it maps "
			 "itself can merge, as the shared layout has it",
		 pid, command, text);
}
