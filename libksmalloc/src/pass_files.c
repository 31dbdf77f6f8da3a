/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass_files.h"

#include <string.h>

#define IDLE_PASSES 3u /* after which a file is closed that no page is mapped of */

void ksm_pass_files_begin(struct ksm_pass_files *files)
{
	memset(files->mapped, 0, sizeof(files->mapped));
	memset(files->huge, 0, sizeof(files->huge));
}

void ksm_pass_files_end(struct ksm_pass_files *files, struct ksm_store *store)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		bool is_idle = store->files[i].inode && files->mapped[i] == 0;

		files->idle[i] = is_idle ? (uint8_t)(files->idle[i] + 1) : 0;
		if (files->idle[i] < IDLE_PASSES)
			continue;
		ksm_store_let_go(store, i);
		files->idle[i] = 0;
	}
}
