/* SPDX-License-Identifier: BSD-2-Clause */
/* The webhook's modules that need no connection: patches, reviews, bodies. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "webhook/bodies.h"
#include "webhook/patch.h"
#include "webhook/review.h"

/* --- patches ---------------------------------------------------------------------------------------- */

static void expect_patch(const char *before, const char *after, const char *wanted)
{
	json_t *a = json_loads(before, JSON_DECODE_ANY, NULL);
	json_t *b = json_loads(after, JSON_DECODE_ANY, NULL);
	json_t *patch = ksr_patch_make(a, b);
	char *text = json_dumps(patch, JSON_COMPACT);

	cr_assert_str_eq(text, wanted);
	free(text);
	json_decref(patch);
	json_decref(a);
	json_decref(b);
}

Test(patch, test_what_did_not_change_is_not_in_it)
{
	expect_patch("{\"a\":{\"b\":[1,2.50,{\"c\":null}]}}", "{\"a\":{\"b\":[1,2.5,{\"c\":null}]}}", "[]");
	expect_patch("{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":[]}",
		     "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"replace\",\"path\":\"/b\",\"value\":3},"
		     "{\"op\":\"add\",\"path\":\"/c\",\"value\":[]}]");
}

Test(patch, test_lists_grow_and_shrink_at_their_end)
{
	expect_patch("[1,2]", "[1,3,4,5]",
		     "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":3},{\"op\":\"add\",\"path\":\"/-\",\"value\":4},"
		     "{\"op\":\"add\",\"path\":\"/-\",\"value\":5}]");
	expect_patch("[1,2,3]", "[1]", "[{\"op\":\"remove\",\"path\":\"/2\"},{\"op\":\"remove\",\"path\":\"/1\"}]");
}

Test(patch, test_keys_with_signs_of_pointers)
{
	expect_patch("{}", "{\"a/b~c\":{\"/\":1}}", "[{\"op\":\"add\",\"path\":\"/a~1b~0c\",\"value\":{\"/\":1}}]");
	expect_patch("{\"a/b\":{\"~\":1}}", "{\"a/b\":{\"~\":2}}",
		     "[{\"op\":\"replace\",\"path\":\"/a~1b/~0\",\"value\":2}]");
}

/* --- reviews ------------------------------------------------------------------------------------------ */

static char why[KSR_REVIEW_WHY];
static enum ksr_review_outcome outcome;

static char *answer(const char *text)
{
	static const struct ksr_inject_wish defaults = {0};

	return ksr_review_answer(text, strlen(text), &defaults, &outcome, why);
}

#define REVIEW(request) "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":" request "}"
#define POD(metadata, spec)                                                                                        \
	REVIEW("{\"uid\":\"u\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"operation\":\"CREATE\"," \
	       "\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":" metadata ",\"spec\":" spec "}}")

static void expect_outcome(const char *text, enum ksr_review_outcome wanted)
{
	char *made = answer(text);

	cr_assert_not_null(made, "%s", why);
	cr_assert_eq(outcome, wanted, "%s", made);
	cr_assert_not_null(strstr(made, "\"uid\":\"u\""));
	cr_assert_not_null(strstr(made, "\"allowed\":true"));
	cr_assert_eq(strstr(made, "\"patch\":") != NULL, wanted == KSR_REVIEW_INJECTED);
	cr_assert_eq(strstr(made, "\"warnings\":") != NULL, wanted == KSR_REVIEW_WARNED);
	free(made);
}

Test(review, test_no_pod_is_refused)
{

	expect_outcome(POD("{}", "{\"containers\":[{\"name\":\"a\"}]}"), KSR_REVIEW_LEFT);
	expect_outcome(POD("{\"annotations\":{\"ksmalloc/inject\":\"false\"}}", "{\"containers\":[{\"name\":\"a\"}]}"), KSR_REVIEW_LEFT);
	expect_outcome(POD("{\"name\":\"n\",\"annotations\":{\"ksmalloc/inject\":\"true\"}}", "{\"containers\":[{\"name\":\"a\"}]}"), KSR_REVIEW_INJECTED);
	expect_outcome(POD("{\"annotations\":{\"ksmalloc/inject\":\"yes\"}}", "{\"containers\":[{\"name\":\"a\"}]}"), KSR_REVIEW_WARNED);
	expect_outcome(POD("{\"annotations\":{\"ksmalloc/inject\":\"true\"}}", "{\"hostPID\":true,\"containers\":[{\"name\":\"a\"}]}"),
		       KSR_REVIEW_WARNED);
	expect_outcome(POD("{\"annotations\":{\"ksmalloc/inject\":\"true\"}}", "{\"containers\":7}"), KSR_REVIEW_WARNED);
	expect_outcome(POD("[]", "{}"), KSR_REVIEW_LEFT);
	expect_outcome(REVIEW("{\"uid\":\"u\"}"), KSR_REVIEW_LEFT);
	expect_outcome(REVIEW("{\"uid\":\"u\",\"kind\":{\"kind\":\"Pod\"},\"operation\":\"DELETE\"}"), KSR_REVIEW_LEFT);
}

Test(review, test_what_is_no_review_is_said)
{
	static const char *const texts[] = {"", "{", "[]", "7", "null", "{}", "{\"kind\":\"AdmissionReview\"}",
					    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\"}",
					    "{\"apiVersion\":\"admission.k8s.io/v1beta1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":\"u\"}}",
					    REVIEW("[]"), REVIEW("{\"uid\":7}"), REVIEW("{\"uid\":\"\"}"),
					    REVIEW("{\"uid\":\"u\",\"uid\":\"v\"}"),
					    REVIEW("{\"uid\":\"u\",\"kind\":{\"kind\":\"Pod\"},\"operation\":\"CREATE\"}"), "{\"a\":\"\xff\"}"};

	for (size_t i = 0; i < KSM_COUNT_OF(texts); i++) {
		why[0] = '\0';
		cr_assert_null(answer(texts[i]), "%s", texts[i]);
		cr_assert(why[0], "%s", texts[i]);
	}
}

/* --- bodies ------------------------------------------------------------------------------------------- */

Test(bodies, test_one_has_a_bound)
{
	struct ksr_bodies bodies = {0};
	struct ksr_body *body = ksr_body_create(&bodies);
	char *part = calloc(1, 1 << 20);

	for (int i = 0; i < 3; i++)
		ksr_body_add(&bodies, body, part, 1 << 20);
	cr_assert(!body->too_large);
	cr_assert_eq(body->bytes, KSR_BODY_MOST);
	ksr_body_add(&bodies, body, part, 1);
	cr_assert(body->too_large);
	cr_assert_eq(bodies.room, 0);
	ksr_body_destroy(&bodies, body);
	cr_assert_null(bodies.first);
	free(part);
}

/* Who sends little gets his answer, whatever others send. */
Test(bodies, test_the_largest_goes_first)
{
	struct ksr_bodies bodies = {0};
	struct ksr_body *small = ksr_body_create(&bodies);
	struct ksr_body *large[16];
	char *part = calloc(1, 2 << 20);
	size_t dropped = 0;

	ksr_body_add(&bodies, small, "small", 5);
	for (size_t i = 0; i < KSM_COUNT_OF(large); i++) {
		large[i] = ksr_body_create(&bodies);
		ksr_body_add(&bodies, large[i], part, 2 << 20);
		cr_assert_leq(bodies.room, KSR_BODIES_MOST);
	}
	for (size_t i = 0; i < KSM_COUNT_OF(large); i++)
		dropped += large[i]->was_dropped;
	cr_assert(dropped > 0 && dropped < KSM_COUNT_OF(large));
	cr_assert(!small->was_dropped && small->bytes == 5 && memcmp(small->text, "small", 5) == 0);
	ksr_body_destroy(&bodies, large[7]);
	for (size_t i = 0; i < KSM_COUNT_OF(large); i++) {
		if (i != 7)
			ksr_body_destroy(&bodies, large[i]);
	}
	ksr_body_destroy(&bodies, small);
	cr_assert(!bodies.first && !bodies.room);
	free(part);
}
