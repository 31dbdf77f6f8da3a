/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: which sites are advised, and with which priority.
 *
 * What it is: the options advise, allow, deny and hint_priorities, applied to a
 * site's frames when the site is made. deny is stronger than allow; an empty allow
 * list allows all. Of the priorities' patterns the first that matches counts.
 * What it is not: about placement: a site that is not advised still has its slot.
 *
 * Patterns, separated by commas: function:GLOB (any frame's function, from the
 * file's symbol table), module:GLOB (last component of the file's path),
 * label:GLOB, range:BUILDID:LOW-HIGH (hexadecimal link-time addresses), and a
 * bare GLOB, which means function. * and ? are the only wildcards. In hint_priorities
 * each ends in =N.
 *
 * Locking: its own lock around the ranges that functions resolve to, because
 * they are looked up when a module is first met.
 * Failure: a pattern that cannot be read is reported in one line and ignored;
 * a file whose symbols cannot be read matches no function.
 */
#ifndef KSM_POLICY_H
#define KSM_POLICY_H

#include "base.h"
#include "site/module.h"

/* Reads the options. */
void ksm_policy_init(void);

/* True if there are patterns, after that. */
bool ksm_policy_has_patterns(void);

struct ksm_policy {
	bool advise;
	bool denied;		/* by a pattern of deny, not only for want of one of allow */
	uint8_t priority;	/* of hints */
};

/* True if patterns of deny are among them. */
bool ksm_policy_has_denials(void);

/* What is to be done with a site with these frames. */
struct ksm_policy ksm_policy_of_frames(const struct ksm_module_address *frames, uint32_t count);

/* The same for a site named by a label. */
struct ksm_policy ksm_policy_of_label(const char *name);

/*
 * The same for memory that belongs to no site (heap, mappings, data, nursery). Unless a pattern
 * names it, it has half the priority of slots, whose content is known to be large.
 */
struct ksm_policy ksm_policy_of_region(const char *name);

/* True if text matches glob; * stands for any characters, ? for one. */
bool ksm_policy_glob(const char *glob, size_t glob_length, const char *text);

void ksm_policy_prefork(void);
void ksm_policy_postfork_parent(void);
void ksm_policy_postfork_child(void);

#endif
