/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What mm/ksm_*.c and their KUnit tests need of the kernel, for a program: included before each of
 * them by tests/kernel/logic. Lists, trees and hashes are the kernel's own, from its tools/include.
 */
#ifndef LOGIC_H
#define LOGIC_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/string.h>

/* ---- memory and locks: one thread, which waits for nobody --------------------------------- */

#undef GFP_KERNEL
#define GFP_KERNEL 0
#undef __GFP_NORETRY
#define __GFP_NORETRY 0
#undef __GFP_NOWARN
#define __GFP_NOWARN 0
#define kzalloc(size, flags) calloc(1, size)
#ifdef LOGIC_MAY_LACK_MEMORY
/* By the program: there is none now. */
extern bool logic_no_memory;
#define kvcalloc(count, size, flags) (logic_no_memory ? NULL : calloc(count, size))
#else
#define kvcalloc(count, size, flags) calloc(count, size)
#endif
#define kfree free
#define kvfree free
#define cond_resched() ((void)0)

typedef struct { int unused; } logic_lock;
#define DEFINE_SPINLOCK(name) logic_lock name
#define spin_lock(lock) ((void)(lock))
#define spin_unlock(lock) ((void)(lock))

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096UL
#endif
#ifndef U8_MAX
#define U8_MAX ((u8)~0U)
#endif
#ifndef U32_MAX
#define U32_MAX ((u32)~0U)
#endif
#ifndef swap
#define swap(a, b) do { typeof(a) old_ = (a); (a) = (b); (b) = old_; } while (0)
#endif

/* As in the kernel itself, of types that need not be the same. */
#undef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#undef max
#define max(a, b) ((a) > (b) ? (a) : (b))

#define do_div(number, by) \
	({ \
		u32 rest_ = (number) % (by); \
		(number) /= (by); \
		rest_; \
	})

#define div64_u64(number, by) ((u64)(number) / (u64)(by))

/* The list.h of tools/include has not got it. */
static inline size_t list_count_nodes(struct list_head *head)
{
	struct list_head *node;
	size_t count = 0;

	list_for_each(node, head)
		count++;
	return count;
}

/* The number of the highest bit that is set, from 1 on. */
#ifndef fls
#define fls(value) ((value) ? 32 - __builtin_clz(value) : 0)
#endif

#undef WARN_ON_ONCE
#define WARN_ON_ONCE(what) \
	do { \
		if (what) { \
			printf("WARNING: %s:%d: %s\n", __FILE__, __LINE__, #what); \
			exit(1); \
		} \
	} while (0)

/* ---- other parts of the kernel, as far as they are used ------------------------------------ */

struct rnd_state { u64 state; };

static inline void prandom_seed_state(struct rnd_state *rnd, u64 seed)
{
	rnd->state = seed;
}

static inline u32 prandom_u32_state(struct rnd_state *rnd)
{
	rnd->state = rnd->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return rnd->state >> 32;
}

/* An array of pointers with few places, all of which are there. */
#define LOGIC_PLACES 64
struct xarray { void *places[LOGIC_PLACES]; };

static inline void xa_init(struct xarray *xa)
{
	memset(xa, 0, sizeof(*xa));
}

static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	return xa->places[index];
}

static inline void *xa_store(struct xarray *xa, unsigned long index, void *entry, int flags)
{
	void *old = xa->places[index];

	(void)flags;
	xa->places[index] = entry;
	return old;
}

static inline void *xa_erase(struct xarray *xa, unsigned long index)
{
	return xa_store(xa, index, NULL, 0);
}

static inline bool xa_empty(const struct xarray *xa)
{
	static const struct xarray empty;

	return !memcmp(xa, &empty, sizeof(*xa));
}

#define xa_is_err(entry) ((void)(entry), false)
#define xa_destroy(xa) ((void)(xa))

static inline void sort(void *base, size_t count, size_t size, int (*cmp)(const void *, const void *), void *swapper)
{
	(void)swapper;
	qsort(base, count, size, cmp);
}

/* ---- KUnit -------------------------------------------------------------------------------- */

struct kunit_action {
	void (*undo)(void *data);
	void *data;
	struct kunit_action *next;
};

struct kunit {
	const void *param_value;
	void *priv;
	int failures;
	struct kunit_action *actions;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
	const void *(*params)(const void *before, char *name);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_PARAM_DESC_SIZE 128
#undef strscpy
#define strscpy(to, from, size) snprintf(to, size, "%s", from)

static inline int kunit_add_action_or_reset(struct kunit *test, void (*undo)(void *data), void *data)
{
	struct kunit_action *action = malloc(sizeof(*action));

	*action = (struct kunit_action){ undo, data, test->actions };
	test->actions = action;
	return 0;
}

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int flags)
{
	void *memory = calloc(1, size);

	(void)flags;
	kunit_add_action_or_reset(test, free, memory);
	return memory;
}

#define kunit_kcalloc(test, count, size, flags) kunit_kzalloc(test, (count) * (size), flags)

#define LOGIC_CHECK(test, met) \
	do { \
		if (!(met)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #met); \
			(test)->failures++; \
		} \
	} while (0)
#define LOGIC_NEED(test, met) \
	do { \
		if (!(met)) { \
			printf("not ok %s:%d: %s\n", __FILE__, __LINE__, #met); \
			exit(1); \
		} \
	} while (0)

#define KUNIT_EXPECT_EQ(test, a, b) LOGIC_CHECK(test, (a) == (b))
#define KUNIT_EXPECT_NE(test, a, b) LOGIC_CHECK(test, (a) != (b))
#define KUNIT_EXPECT_LT(test, a, b) LOGIC_CHECK(test, (a) < (b))
#define KUNIT_EXPECT_LE(test, a, b) LOGIC_CHECK(test, (a) <= (b))
#define KUNIT_EXPECT_GT(test, a, b) LOGIC_CHECK(test, (a) > (b))
#define KUNIT_EXPECT_GE(test, a, b) LOGIC_CHECK(test, (a) >= (b))
#define KUNIT_EXPECT_TRUE(test, a) LOGIC_CHECK(test, a)
#define KUNIT_EXPECT_FALSE(test, a) LOGIC_CHECK(test, !(a))
#define KUNIT_EXPECT_NULL(test, a) LOGIC_CHECK(test, !(a))
#define KUNIT_EXPECT_NOT_NULL(test, a) LOGIC_CHECK(test, a)
#define KUNIT_EXPECT_PTR_EQ KUNIT_EXPECT_EQ
#define KUNIT_EXPECT_PTR_NE KUNIT_EXPECT_NE
#define KUNIT_ASSERT_EQ(test, a, b) LOGIC_NEED(test, (a) == (b))
#define KUNIT_ASSERT_LT(test, a, b) LOGIC_NEED(test, (a) < (b))
#define KUNIT_ASSERT_LE(test, a, b) LOGIC_NEED(test, (a) <= (b))
#define KUNIT_ASSERT_GT(test, a, b) LOGIC_NEED(test, (a) > (b))
#define KUNIT_ASSERT_TRUE(test, a) LOGIC_NEED(test, a)
#define KUNIT_ASSERT_NOT_NULL(test, a) LOGIC_NEED(test, a)
#define KUNIT_ASSERT_PTR_EQ KUNIT_ASSERT_EQ

#define KUNIT_CASE(function) { .run = function, .name = #function }
#define KUNIT_CASE_PARAM(function, generator) { .run = function, .name = #function, .params = generator }
#define KUNIT_ARRAY_PARAM(kind, array, describe) \
	static const void *kind##_gen_params(const void *before, char *name) \
	{ \
		typeof((array)[0]) *now = before ? (typeof((array)[0]) *)before + 1 : (array); \
		if (now == (array) + ARRAY_SIZE(array)) \
			return NULL; \
		describe(now, name); \
		return now; \
	}

/* Runs a case for one parameter, or without one. Returns the number of failures. */
static inline int logic_run(const struct kunit_suite *suite, const struct kunit_case *one, const void *param,
			    const char *name)
{
	struct kunit test = { .param_value = param };
	struct kunit_action *action;

	one->run(&test);
	while ((action = test.actions)) {
		test.actions = action->next;
		action->undo(action->data);
		free(action);
	}
	printf("%sok %s.%s %s\n", test.failures ? "not " : "", suite->name, one->name, name);
	return test.failures;
}

static inline int logic_main(const struct kunit_suite *suite)
{
	char name[KUNIT_PARAM_DESC_SIZE] = "";
	const struct kunit_case *one;
	const void *param;
	int failures = 0;

	for (one = suite->test_cases; one->run; one++) {
		if (!one->params)
			failures += logic_run(suite, one, NULL, "");
		for (param = NULL; one->params && (param = one->params(param, name));)
			failures += logic_run(suite, one, param, name);
	}
	return failures > 0;
}

#define kunit_test_suite(suite) \
	int main(void) { return logic_main(&suite); } \
	struct logic_end
#undef MODULE_DESCRIPTION
#define MODULE_DESCRIPTION(text) struct logic_end
#undef MODULE_LICENSE
#define MODULE_LICENSE(text) struct logic_end
#endif
