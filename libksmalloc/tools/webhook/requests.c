/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "webhook/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED (KSR_REQUESTS_OUTCOMES - 1)

/* --- answers ---------------------------------------------------------------------------------- */

/* The text is copied. */
static enum MHD_Result say(struct MHD_Connection *connection, unsigned int status, const char *type, const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "POST");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct ksr_requests *requests, struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	requests->counts[REFUSED]++;
	return say(connection, status, "text/plain; charset=utf-8", text);
}

static enum MHD_Result say_counts(const struct ksr_requests *requests, struct MHD_Connection *connection)
{
	static const char *const names[] = {"left", "injected", "warned", "refused"};
	char text[1024];
	int at = snprintf(text, sizeof(text),
			  "# HELP ksmalloc_webhook_reviews_total Requests, by what became of the pod\n"
			  "# TYPE ksmalloc_webhook_reviews_total counter\n");

	for (size_t i = 0; i < KSM_COUNT_OF(names); i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       "ksmalloc_webhook_reviews_total{outcome=\"%s\"} %" PRIu64 "\n", names[i],
			       requests->counts[i]);
	return say(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
}

#define OF_ALL	    "/inject"
#define BELOW	    OF_ALL "/"
#define OF_STANDARD BELOW "standard"
#define WORD_MOST   63

/* One word below it may be any: one that is not known here is of a release to come, whose configuration is there before its webhooks are. */
static bool is_review(const char *url)
{
	const char *word = url + strlen(BELOW);
	size_t length;

	if (strcmp(url, OF_ALL) == 0)
		return true;
	if (strncmp(url, BELOW, strlen(BELOW)) != 0)
		return false;
	length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return length > 0 && length <= WORD_MOST && !word[length];
}

/*
 * Baseline and restricted refuse a pod that has a folder of the node; all other ways fit them. What is not known gets what every
 * namespace takes, too.
 */
static struct ksr_inject_wish wish_for(const struct ksr_requests *requests, const char *url)
{
	struct ksr_inject_wish wish = *requests->defaults;

	if (strcmp(url, OF_ALL) != 0 && ksr_inject_wish_way(&wish) == KSR_INJECT_BY_FOLDER)
		wish.from = NULL;
	return wish;
}

static enum MHD_Result review(struct ksr_requests *requests, struct MHD_Connection *connection, const char *url,
			      const struct ksr_body *body)
{
	const struct ksr_inject_wish wish = wish_for(requests, url);
	enum ksr_review_outcome outcome;
	enum MHD_Result result;
	char why[KSR_REVIEW_WHY];
	char *answer;

	/* It was read to its end, so that the client gets to see the answer, but not kept. */
	if (body->too_large)
		return refuse(requests, connection, MHD_HTTP_CONTENT_TOO_LARGE, "A review has 3 MiB at most.\n");
	if (body->was_dropped)
		return refuse(requests, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "There is no memory for it.\n");
	answer = ksr_review_answer(body->text ? body->text : "", body->bytes, &wish, &outcome, why);
	if (!answer) {
		char text[KSR_REVIEW_WHY + 2];

		snprintf(text, sizeof(text), "%s\n", why);
		return refuse(requests, connection, MHD_HTTP_BAD_REQUEST, text);
	}
	requests->counts[outcome]++;
	result = say(connection, MHD_HTTP_OK, "application/json", answer);
	free(answer);
	return result;
}

/* --- what may be asked ------------------------------------------------------------------------ */

static bool is_json(struct MHD_Connection *connection)
{
	static const char json[] = "application/json";
	const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);

	return type && strncasecmp(type, json, sizeof(json) - 1) == 0 && strchr("; ", type[sizeof(json) - 1]);
}

static bool is_read(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* The head of a request; what is refused here ends the connection, and nothing more is read of it. */
static enum MHD_Result begin(struct ksr_requests *requests, struct MHD_Connection *connection, const char *url,
			     const char *method)
{
	bool is_page = strcmp(url, "/healthz") == 0 || strcmp(url, "/metrics") == 0;

	if (is_page && is_read(method))
		return MHD_YES;
	if (is_page || !is_review(url))
		return refuse(requests, connection, is_page ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND,
			      "There is POST " OF_ALL " and " OF_STANDARD ", GET /healthz and GET /metrics.\n");
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		return refuse(requests, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only POST is served.\n");
	if (!is_json(connection))
		return refuse(requests, connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Only application/json is read.\n");
	return MHD_YES;
}

enum MHD_Result ksr_requests_answer(void *user, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *text, size_t *bytes, void **request)
{
	struct ksr_requests *requests = user;
	struct ksr_body *body = *request;

	(void)version;
	if (!body) {
		*request = ksr_body_create(&requests->bodies);
		return *request ? begin(requests, connection, url, method) : MHD_NO;
	}
	if (*bytes) {
		ksr_body_add(&requests->bodies, body, text, *bytes);
		*bytes = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/healthz") == 0)
		return say(connection, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n");
	return strcmp(url, "/metrics") == 0 ? say_counts(requests, connection) : review(requests, connection, url, body);
}

void ksr_requests_forget(struct ksr_requests *requests, void **request)
{
	if (*request)
		ksr_body_destroy(&requests->bodies, *request);
	*request = NULL;
}
