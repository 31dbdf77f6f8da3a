/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * picture: a report as stacks with values.
 *
 * What it is: what the forms for other programs, the page and saved reports have in common: the origins of memory with
 * their stacks, by group and program; sums by group and of all.
 * What it is not: a report. It knows neither processes nor pages, and nothing is computed from it but sums.
 *
 * Invariants: texts are clean and short (pool.h), whoever wrote them. A stack has at most KSR_STACK_MOST frames, a
 * picture at most KSR_ORIGINS_MOST origins: what is beyond is added up in one origin for each group. After
 * ksr_picture_finish() the origins are sorted, the largest first, and their values add up to those of their groups and
 * of all.
 *
 * Locking and owner: one thread; a picture owns all that it points to.
 *
 * Failure: that memory was missing is remembered, and returned by ksr_picture_finish().
 */
#ifndef KSR_SHOW_PICTURE_H
#define KSR_SHOW_PICTURE_H

#include "show/pool.h"

/* What an origin has, in bytes: X(name, key, title, what it is). */
#define KSR_VALUES(X)                                                                              \
	X(HELD, "held", "Held", "Bytes that are resident, or in the store and not looked at yet")  \
	X(LIVE, "live", "Live", "Bytes that the program has asked for and not freed")              \
	X(RESIDENT, "resident", "Resident", "Bytes that are mapped, before sharing is taken off")  \
	X(PRIVATE, "private", "Private", "Resident bytes that nothing else shares")                \
	X(MERGED, "merged", "Merged", "Resident bytes in pages of KSM")                            \
	X(SAVED, "saved", "Saved", "Bytes that are not used because of KSM")                       \
	X(SHARED, "shared", "Shared", "Bytes mapped from the store of the group")                  \
	X(FORK_SHARED, "fork_shared", "Shared by fork", "Bytes that are not used because of fork")

enum ksr_value {
#define KSR_VALUE_ID(name, key, title, help) KSR_VALUE_##name,
	KSR_VALUES(KSR_VALUE_ID)
#undef KSR_VALUE_ID
		KSR_VALUE_COUNT,
};

#define KSR_TEXT_MOST 400
#define KSR_STACK_MOST 64
#define KSR_ORIGINS_MOST 200000

/* All but the line are numbers of texts. */
struct ksr_picture_frame {
	uint32_t function;
	uint32_t file; /* empty: not known */
	uint32_t line; /* 0: not known */
	uint32_t module;
	uint32_t build_id; /* of the module, empty: not known */
	uint32_t language;
};

struct ksr_picture_group {
	uint32_t name;	 /* of a text; empty: processes of no group */
	uint32_t layout; /* of a text */
	uint32_t processes;
	uint64_t store; /* bytes that the files of the group's store take */
	uint64_t values[KSR_VALUE_COUNT];
};

struct ksr_picture_origin {
	uint64_t id;	/* 0: memory that nobody is known to have asked for */
	uint32_t name;	/* of a text: what the report calls it */
	uint32_t group; /* index */
	uint32_t program;
	uint32_t processes;
	uint32_t first; /* in the list of stacks: frames, innermost first */
	uint32_t frames;
	uint32_t shown; /* of these, so many: behind them are those of an interpreter that executes what is shown */
	uint64_t error; /* live is right to so many bytes, as in join/origin.h */
	uint64_t values[KSR_VALUE_COUNT];
};

struct ksr_picture {
	struct ksr_pool texts;
	struct ksr_picture_frame *frames;
	uint32_t frame_count;
	uint32_t frame_room;
	uint32_t *frame_cells; /* index of a frame plus one, 0: empty */
	uint32_t *stacks;      /* indices of frames */
	uint32_t stack_count;
	uint32_t stack_room;
	struct ksr_picture_group *groups;
	uint32_t group_count;
	struct ksr_picture_origin *origins;
	uint32_t origin_count;
	uint32_t origin_room;
	uint32_t left_out; /* origins that were added up in others */
	uint64_t values[KSR_VALUE_COUNT];
	uint64_t time; /* seconds since 1970 */
	int error;
};

/* The picture is to be destroyed also after a failure. */
int ksr_picture_init(struct ksr_picture *picture);
void ksr_picture_fini(struct ksr_picture *picture);

uint32_t ksr_picture_text(struct ksr_picture *picture, const char *text);
/* The index of the group of this name and layout, which is added unless it is there. */
uint32_t ksr_picture_group(struct ksr_picture *picture, const char *name, const char *layout);
/* The index of an equal frame, which is added unless it is there. */
uint32_t ksr_picture_frame(struct ksr_picture *picture, const struct ksr_picture_frame *frame);
/*
 * Adds an origin with its stack, indices of frames, innermost first. Its group must exist; first and frames are set
 * here.
 */
void ksr_picture_add(struct ksr_picture *picture, const struct ksr_picture_origin *origin,
		     const uint32_t *stack, size_t frames);
/* Sorts and sums; 0 or -ENOMEM. */
int ksr_picture_finish(struct ksr_picture *picture);

const char *ksr_value_key(enum ksr_value value);
const char *ksr_value_title(enum ksr_value value);
const char *ksr_value_help(enum ksr_value value);
/* false when there is no such value. */
bool ksr_value_find(const char *key, enum ksr_value *value);

/* What a group does not use because of its store. */
static inline uint64_t ksr_picture_saved_by_store(const struct ksr_picture_group *group)
{
	uint64_t shared = group->values[KSR_VALUE_SHARED];

	return shared > group->store ? shared - group->store : 0;
}

/* The frame at a depth of an origin's stack, 0 is the innermost. */
static inline const struct ksr_picture_frame *
ksr_picture_frame_at(const struct ksr_picture *picture, const struct ksr_picture_origin *origin, uint32_t depth)
{
	return &picture->frames[picture->stacks[origin->first + depth]];
}

#endif
