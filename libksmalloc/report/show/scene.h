/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene: what the forms of pictures are given.
 *
 * What it is: data: a picture, the report behind it, and what the caller has chosen.
 * What it is not: formatting.
 * Locking and owner: all is the caller's.
 * Failure: none.
 */
#ifndef KSR_SHOW_SCENE_H
#define KSR_SHOW_SCENE_H

#include <stdio.h>

#include "join/report.h"
#include "show/picture.h"

struct ksr_scene {
	const struct ksr_picture *picture;
	const struct ksr_report *report;
	enum ksr_value value; /* of forms that have one only */
	uint64_t top;	      /* origins that forms with few rows name; 0: as many as they like */
};

#endif
