/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/answer.h"

#include <errno.h>
#include <exporter_files.h>
#include <string.h>
#include <unistd.h>

#include "read/clock.h"

#define PAGE_POLICY                                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "          \
	"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
/* The report's page has a policy of its own, and is shown within ours. */
#define FRAME_POLICY "frame-ancestors 'self'"
/* A snapshot may be late by a whole report (whole.h). */
#define LATE_INTERVALS 3
#define LATE_MS 40000

static const struct file {
	const char *path;
	const char *type;
	const unsigned char *bytes;
	size_t size;
} files[] = {
	{"/", "text/html; charset=utf-8", index_html, sizeof(index_html)},
	{"/theme.css", "text/css; charset=utf-8", theme_css, sizeof(theme_css)},
	{"/exporter.css", "text/css; charset=utf-8", exporter_css, sizeof(exporter_css)},
	{"/exporter.js", "text/javascript; charset=utf-8", exporter_js, sizeof(exporter_js)},
};

static const struct document {
	const char *path;
	const char *type;
} documents[] = {
#define DOCUMENT(id, path, type) {path, type},
	KSR_DOCUMENTS(DOCUMENT)
#undef DOCUMENT
};

/* --- answers ------------------------------------------------------------------------------------ */

static void add_headers(struct MHD_Response *response, const char *type, const char *policy)
{
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Content-Security-Policy", policy);
}

static struct MHD_Response *make_text(const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response)
		add_headers(response, "text/plain; charset=utf-8", PAGE_POLICY);
	return response;
}

static enum MHD_Result send_and_drop(struct MHD_Connection *connection, unsigned int status,
				     struct MHD_Response *response)
{
	enum MHD_Result result = response ? MHD_queue_response(connection, status, response) : MHD_NO;

	if (response)
		MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct ksr_answers *answers, struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	struct MHD_Response *response = make_text(text);

	ksr_counter_add(&answers->counters->refused, 1);
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (response && status == MHD_HTTP_UNAUTHORIZED) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"ksmalloc\"");
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"ksmalloc\"");
	}
	if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return send_and_drop(connection, status, response);
}

static enum MHD_Result send_file(struct MHD_Connection *connection, const struct file *file)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		file->size, (void *)(uintptr_t)file->bytes, MHD_RESPMEM_PERSISTENT);

	if (response)
		add_headers(response, file->type, PAGE_POLICY);
	return send_and_drop(connection, MHD_HTTP_OK, response);
}

/* --- what is asked for ------------------------------------------------------------------------------ */

static bool is_healthy(const struct ksr_answers *answers)
{
	uint64_t made_ms = answers->made_ms[KSR_DOCUMENT_NOW];

	return made_ms && ksr_clock_ms() - made_ms < LATE_INTERVALS * answers->interval_ms + LATE_MS;
}

/*
 * Prometheus names what it prefers first; whoever names OpenMetrics gets it, unless he says that he does not want it.
 */
static bool wants_openmetrics(const char *accept)
{
	const char *type = accept ? strcasestr(accept, "application/openmetrics-text") : NULL;
	const char *end = type ? strchrnul(type, ',') : NULL;
	const char *quality = type ? strcasestr(type, "q=0") : NULL;

	if (!type || !quality || quality > end)
		return type != NULL;
	quality += 3;
	return *quality == '.' && strspn(quality + 1, "0") != strspn(quality + 1, "0123456789");
}

static enum ksr_document find_document(struct MHD_Connection *connection, const char *url)
{
	for (int i = 0; i < KSR_DOCUMENT_COUNT; i++) {
		if (strcmp(documents[i].path, url) != 0)
			continue;
		if (i == KSR_DOCUMENT_OPENMETRICS &&
		    !wants_openmetrics(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)))
			continue;
		return (enum ksr_document)i;
	}
	return KSR_DOCUMENT_COUNT;
}

static enum MHD_Result answer_path(struct ksr_answers *answers, struct MHD_Connection *connection, const char *url)
{
	enum ksr_document which;

	for (size_t i = 0; i < KSM_COUNT_OF(files); i++) {
		if (strcmp(files[i].path, url) == 0)
			return send_file(connection, &files[i]);
	}
	which = find_document(connection, url);
	if (which == KSR_DOCUMENT_COUNT)
		return refuse(answers, connection, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
	if (!answers->documents[which])
		return refuse(answers, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "It is being read for the first time.\n");
	return MHD_queue_response(connection, MHD_HTTP_OK, answers->documents[which]);
}

static enum MHD_Result check_body(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	bool *found = user;

	(void)kind;
	*found = *found || strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 ||
		 (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 && strcmp(value ? value : "", "0") != 0);
	return MHD_YES;
}

/* Of two lengths a proxy may go by another one than we, and what is behind them is a body to one and a request to the other. */
static bool has_body(struct MHD_Connection *connection)
{
	bool found = false;

	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_body, &found);
	return found;
}

struct host_check {
	const struct ksr_hosts *hosts;
	bool fits;
};

static enum MHD_Result check_host(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct host_check *check = user;

	(void)kind;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0 && !ksr_hosts_allow(check->hosts, value ? value : ""))
		check->fits = false;
	return MHD_YES;
}

/* If there are several, who is behind a proxy may mean another one than we: each has to fit. */
static bool is_for_us(const struct ksr_answers *answers, struct MHD_Connection *connection)
{
	struct host_check check = {answers->hosts, true};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_host, &check);
	return check.fits;
}

static bool is_served(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/*
 * The library calls when the header was read, and again when the request has ended. What is answered at the first
 * call ends the connection, and nothing more is read of it.
 */
enum MHD_Result ksr_answer(void *user, struct MHD_Connection *connection, const char *url, const char *method,
			   const char *version, const char *body, size_t *body_bytes, void **request)
{
	struct ksr_answers *answers = user;
	bool is_first = *request == NULL;

	(void)version;
	(void)body;
	*request = answers;
	if (is_first)
		ksr_counter_add(&answers->counters->requests, 1);
	if (is_first && !is_served(method))
		return refuse(answers, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are served.\n");
	if (is_first && has_body(connection))
		return refuse(answers, connection, MHD_HTTP_BAD_REQUEST, "A request has no body here.\n");
	if (is_first || *body_bytes)
		return is_first ? MHD_YES : MHD_NO;
	if (strcmp(url, "/healthz") == 0) {
		if (is_healthy(answers))
			return send_and_drop(connection, MHD_HTTP_OK, make_text("ok\n"));
		return refuse(answers, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "No snapshot was made lately.\n");
	}
	if (!is_for_us(answers, connection))
		return refuse(answers, connection, MHD_HTTP_MISDIRECTED_REQUEST,
			      "This is not the host that was asked for; ksmalloc exporter --host NAME answers for it.\n");
	if (!ksr_token_allows(&answers->token, MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
									  MHD_HTTP_HEADER_AUTHORIZATION)))
		return refuse(answers, connection, MHD_HTTP_UNAUTHORIZED, "A token is needed.\n");
	return answer_path(answers, connection, url);
}

/* --- documents ------------------------------------------------------------------------------------------- */

void ksr_answers_init(struct ksr_answers *answers, const struct ksr_token *token, const struct ksr_hosts *hosts,
		      struct ksr_exporter_counters *counters, uint64_t interval_ms)
{
	*answers = (struct ksr_answers){
		.token = *token, .hosts = hosts, .counters = counters, .interval_ms = interval_ms};
}

void ksr_answers_fini(struct ksr_answers *answers)
{
	for (size_t i = 0; i < KSR_DOCUMENT_COUNT; i++) {
		if (answers->documents[i])
			MHD_destroy_response(answers->documents[i]);
		answers->documents[i] = NULL;
	}
}

int ksr_answers_take(struct ksr_answers *answers, enum ksr_document which, int fd, uint64_t bytes)
{
	struct MHD_Response *response = MHD_create_response_from_fd64(bytes, fd);

	if (!response) {
		close(fd);
		return -ENOMEM;
	}
	add_headers(response, documents[which].type, which == KSR_DOCUMENT_FLAME ? FRAME_POLICY : PAGE_POLICY);
	if (which == KSR_DOCUMENT_OPENMETRICS || which == KSR_DOCUMENT_PROMETHEUS)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept");
	/* Who is just being sent the one before gets all of it: the library counts references. */
	if (answers->documents[which])
		MHD_destroy_response(answers->documents[which]);
	answers->documents[which] = response;
	answers->made_ms[which] = ksr_clock_ms();
	return 0;
}
