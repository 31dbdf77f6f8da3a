/* SPDX-License-Identifier: BSD-2-Clause */
#include "webhook/bodies.h"

#include <stdlib.h>
#include <string.h>

/* Most reviews of pods fit in. */
#define FIRST_ROOM (16u << 10)

struct ksr_body *ksr_body_create(struct ksr_bodies *bodies)
{
	struct ksr_body *body = calloc(1, sizeof(*body));

	if (!body)
		return NULL;
	body->next = bodies->first;
	if (body->next)
		body->next->before = body;
	bodies->first = body;
	return body;
}

static void empty(struct ksr_bodies *bodies, struct ksr_body *body)
{
	bodies->room -= body->room;
	free(body->text);
	body->text = NULL;
	body->bytes = 0;
	body->room = 0;
}

void ksr_body_destroy(struct ksr_bodies *bodies, struct ksr_body *body)
{
	empty(bodies, body);
	if (body->before)
		body->before->next = body->next;
	else
		bodies->first = body->next;
	if (body->next)
		body->next->before = body->before;
	free(body);
}

static void drop(struct ksr_bodies *bodies, struct ksr_body *body)
{
	empty(bodies, body);
	body->was_dropped = true;
}

static void drop_largest(struct ksr_bodies *bodies)
{
	struct ksr_body *largest = bodies->first;

	for (struct ksr_body *body = bodies->first; body; body = body->next) {
		if (body->room > largest->room)
			largest = body;
	}
	drop(bodies, largest);
}

static bool grow(struct ksr_bodies *bodies, struct ksr_body *body, size_t need)
{
	size_t room = body->room ? body->room : FIRST_ROOM;
	char *text;

	while (room < need)
		room *= 2;
	while (bodies->room - body->room + room > KSR_BODIES_MOST && !body->was_dropped)
		drop_largest(bodies);
	if (body->was_dropped)
		return false;
	text = realloc(body->text, room);
	if (!text) {
		drop(bodies, body);
		return false;
	}
	bodies->room += room - body->room;
	body->text = text;
	body->room = room;
	return true;
}

void ksr_body_add(struct ksr_bodies *bodies, struct ksr_body *body, const char *text, size_t bytes)
{
	if (body->too_large || body->was_dropped)
		return;
	if (bytes > KSR_BODY_MOST - body->bytes) {
		empty(bodies, body);
		body->too_large = true;
		return;
	}
	if (body->bytes + bytes > body->room && !grow(bodies, body, body->bytes + bytes))
		return;
	memcpy(body->text + body->bytes, text, bytes);
	body->bytes += bytes;
}
