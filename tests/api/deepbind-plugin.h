/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plugin of the RTLD_DEEPBIND tests offers: blocks of every call that allocates, made,
 * changed and released by its own code, and names that the program has, too.
 */
#ifndef KSM_TEST_DEEPBIND_PLUGIN_H
#define KSM_TEST_DEEPBIND_PLUGIN_H

#include <stddef.h>

#define DEEPBIND_CONSTRUCTED 3

struct deepbind_plugin {
	size_t kinds;				/* calls that make() knows, 0 to kinds - 1 */
	const char *(*name)(size_t kind);
	void *(*make)(size_t kind, size_t size);
	void *(*resize)(void *block, size_t size);
	size_t (*usable)(void *block);
	void (*release)(void *block);
	void **constructed;			/* blocks that its constructor made */
	const char *(*version)(void);		/* what version() is to the plugin */
	const char *(*library_version)(void);	/* and to its dependency */
	void (*run_thread)(void);		/* makes and releases blocks in a thread of its own */
};

#ifdef __cplusplus
extern "C" {
#endif

/* The program, the plugin and the plugin's dependency have a function of this name each. */
const char *version(void);

/* The dependency's own. */
const char *library_calls_version(void);
void *library_make(size_t size);

#ifdef __cplusplus
}
#endif

#endif
