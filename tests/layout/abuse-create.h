/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KSM_TEST_ABUSE_CREATE_H
#define KSM_TEST_ABUSE_CREATE_H

/* Called when a thread is about to be made; NULL: threads are made as ever. */
extern void (*abuse_before_thread)(void);

#endif
