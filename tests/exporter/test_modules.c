/* SPDX-License-Identifier: BSD-2-Clause */
/* The exporter's modules that need no process: who has to go, rows, the token, history. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/clients.h"
#include "exporter/history.h"
#include "exporter/host.h"
#include "serve/rights.h"
#include "exporter/rows.h"
#include "exporter/token.h"

/* --- clients --------------------------------------------------------------------------------------- */

static struct ksr_clients clients;

/* One from 192.0.2.N, or the documentation's own network. Its descriptor is that of a pair nobody else uses. */
static int add_client(unsigned int host, uint64_t now_ms)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000200u + host)};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	cr_assert_not_null(ksr_clients_add(&clients, pair[0], (struct sockaddr *)&address, now_ms));
	return pair[0];
}

static bool is_ended(int fd)
{
	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++) {
		if (clients.places[i].fd == fd)
			return clients.places[i].ended;
	}
	cr_assert_fail("%d has no place", fd);
	return false;
}

Test(clients, test_one_too_many_ends_the_oldest_of_its_address)
{
	int first, second, other;

	ksr_clients_init(&clients);
	other = add_client(7, 1);
	first = add_client(1, 10);
	second = add_client(1, 20);
	for (unsigned int i = 2; i < KSR_CLIENTS_EACH; i++)
		add_client(1, 30 + i);
	cr_assert(!is_ended(first));
	add_client(1, 1000);
	cr_assert(is_ended(first) && !is_ended(second) && !is_ended(other));
	cr_assert_eq(clients.open, KSR_CLIENTS_EACH + 1);
	cr_assert_eq(clients.ended_total, 1);
	/* Who has finished a request is not the oldest any more. */
	ksr_clients_touch(&clients, second, 2000);
	add_client(1, 2001);
	cr_assert(!is_ended(second));
}

Test(clients, test_a_full_table_ends_one_of_the_address_with_most)
{
	int greedy, modest;

	ksr_clients_init(&clients);
	modest = add_client(200, 1);
	greedy = add_client(1, 5);
	for (unsigned int i = 1; i < 40; i++)
		add_client(1, 10 + i);
	for (unsigned int i = 0; clients.open < KSR_CLIENTS_MOST; i++)
		add_client(2 + i % 30, 100);
	add_client(201, 200);
	cr_assert(is_ended(greedy) && !is_ended(modest));
	cr_assert_eq(clients.open, KSR_CLIENTS_MOST);
}

/* On a socket of IPv6 each client by IPv4 has an address of its own, too: one does not end the others. */
Test(clients, test_clients_by_ipv4_are_apart_on_a_socket_of_ipv6)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	int fd = 1000; /* none is open under this number, and it is never used */

	ksr_clients_init(&clients);
	cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &address.sin6_addr), 1);
	cr_assert_not_null(ksr_clients_add(&clients, fd, (struct sockaddr *)&address, 1));
	cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.2", &address.sin6_addr), 1);
	for (int i = 1; i <= KSR_CLIENTS_EACH; i++)
		cr_assert_not_null(ksr_clients_add(&clients, fd + i, (struct sockaddr *)&address, 2));
	cr_assert_eq(clients.ended_total, 0);
	cr_assert_not_null(ksr_clients_add(&clients, fd + KSR_CLIENTS_EACH + 1, (struct sockaddr *)&address, 3));
	cr_assert_eq(clients.ended_total, 1);
}

Test(clients, test_places_that_are_ended_are_bounded_too)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	ksr_clients_init(&clients);
	for (unsigned int i = 0; i < KSR_CLIENTS_ROOM; i++)
		add_client(1, i);
	cr_assert_eq(clients.taken, KSR_CLIENTS_ROOM);
	cr_assert_eq(clients.open, KSR_CLIENTS_EACH);
	cr_assert_null(ksr_clients_add(&clients, 1, (struct sockaddr *)&address, 1));
}

Test(clients, test_slow_ones_end)
{
	int slow, quick;

	ksr_clients_init(&clients);
	slow = add_client(1, 1000);
	quick = add_client(1, 1000);
	ksr_clients_touch(&clients, quick, 20000);
	ksr_clients_sweep(&clients, 1000 + KSR_CLIENTS_SECONDS * 1000);
	cr_assert(!is_ended(slow));
	ksr_clients_sweep(&clients, 1001 + KSR_CLIENTS_SECONDS * 1000);
	cr_assert(is_ended(slow) && !is_ended(quick));
	ksr_clients_remove(&clients, slow);
	ksr_clients_remove(&clients, slow);
	cr_assert_eq(clients.open, 1);
	cr_assert_eq(clients.taken, 1);
}

/* --- names of this machine, and people ------------------------------------------------------------- */

Test(host, test_names_are_whole_and_bounded)
{
	struct ksr_hosts hosts = {.own = "here"};
	char longest[2 * KSR_HOST_BYTES] = "";

	cr_assert_eq(ksr_hosts_add(&hosts, "metrics.example"), 0);
	cr_assert_eq(ksr_hosts_add(&hosts, ""), -EINVAL);
	cr_assert_eq(ksr_hosts_add(&hosts, "two words"), -EINVAL);
	cr_assert_eq(ksr_hosts_add(&hosts, "name:80"), -EINVAL);
	cr_assert(ksr_hosts_allow(&hosts, NULL) && ksr_hosts_allow(&hosts, "HERE:1") && ksr_hosts_allow(&hosts, "here."));
	cr_assert(ksr_hosts_allow(&hosts, "metrics.example") && !ksr_hosts_allow(&hosts, "metrics.example.org"));
	cr_assert(!ksr_hosts_allow(&hosts, "example") && !ksr_hosts_allow(&hosts, "here.."));
	cr_assert(ksr_hosts_allow(&hosts, "[::]:1") && !ksr_hosts_allow(&hosts, "[127.0.0.1]") && !ksr_hosts_allow(&hosts, "::1"));
	memset(longest, 'x', sizeof(longest) - 1);
	cr_assert(!ksr_hosts_allow(&hosts, longest));
	cr_assert_eq(ksr_hosts_add(&hosts, longest), -EINVAL);
	for (size_t i = 1; i < KSR_HOSTS_MOST; i++)
		cr_assert_eq(ksr_hosts_add(&hosts, "other"), 0);
	cr_assert_eq(ksr_hosts_add(&hosts, "other"), -ENOSPC);
}

/* A machine without a name has not the empty one. */
Test(host, test_no_name_is_not_the_empty_name)
{
	struct ksr_hosts hosts = {0};

	cr_assert(!ksr_hosts_allow(&hosts, "") && !ksr_hosts_allow(&hosts, ".") && !ksr_hosts_allow(&hosts, ":80"));
	hosts.any = true;
	cr_assert(ksr_hosts_allow(&hosts, ""));
}

Test(rights, test_people_are_names_or_numbers)
{
	char why[KSR_RIGHTS_WHY_BYTES];
	struct ksr_person person;
	gid_t group;

	cr_assert_eq(ksr_rights_find("root", &person, why), 0);
	cr_assert(person.user == 0 && person.group == 0);
	cr_assert_eq(ksr_rights_find("70000:80000", &person, why), 0);
	cr_assert(person.user == 70000 && person.group == 80000);
	cr_assert_eq(ksr_rights_find("nobody", &person, why), 0);
	cr_assert_neq(person.user, 0);
	cr_assert_eq(ksr_rights_find("4294967295", &person, why), -EINVAL);
	cr_assert_eq(ksr_rights_find("99999999999999999999", &person, why), -EINVAL);
	cr_assert_eq(ksr_rights_find_group("root", &group, why), 0);
	cr_assert_eq(group, 0);
	cr_assert_eq(ksr_rights_find_group("-1", &group, why), -EINVAL);
}

/* --- rows --------------------------------------------------------------------------------------------- */

static struct ksr_rows rows_of(struct ksr_top_process *processes, size_t count)
{
	struct ksr_top_sample sample = {.processes = processes, .process_count = count};
	struct ksr_rows rows;

	cr_assert_eq(ksr_rows_create(&sample, &rows), 0);
	return rows;
}

Test(rows, test_groups_and_containers_are_told_apart)
{
	struct ksr_top_process processes[] = {
		{.group = "web", .figures = {.needs = 10, .ksm = 3}},
		{.group = "web", .container = "0123456789ab", .figures = {.needs = 100, .store = 4}},
		{.group = "web", .figures = {.needs = 20, .swap = 5}},
		{.group = "", .figures = {.needs = 1}},
	};
	struct ksr_rows rows = rows_of(processes, 4);

	cr_assert_eq(rows.count, 3);
	cr_assert_str_eq(rows.rows[0].container, "0123456789ab");
	cr_assert_eq(rows.rows[0].figures.store, 4);
	cr_assert_eq(rows.rows[1].processes, 2);
	cr_assert_eq(rows.rows[1].figures.needs, 30);
	cr_assert_eq(rows.rows[1].figures.swap, 5);
	cr_assert_str_eq(rows.rows[2].group, "");
	cr_assert_eq(rows.total.figures.needs, 131);
	cr_assert_eq(rows.total.processes, 4);
	ksr_rows_destroy(&rows);
}

Test(rows, test_names_are_one_when_they_are_after_cleaning)
{
	struct ksr_top_process processes[] = {
		{.group = "a\001b", .figures = {.needs = 1}},
		{.group = "a\002b", .figures = {.needs = 2}},
		{.group = "a\001b", .figures = {.needs = 4}},
	};
	struct ksr_rows rows = rows_of(processes, 3);

	cr_assert_eq(rows.count, 1);
	cr_assert_eq(rows.rows[0].figures.needs, 7);
	cr_assert_eq(rows.rows[0].processes, 3);
	ksr_rows_destroy(&rows);
	/* A group that does not end fills its field, and no more is read. */
	memset(processes[0].group, 'x', sizeof(processes[0].group));
	rows = rows_of(processes, 1);
	cr_assert_eq(strlen(rows.rows[0].group), sizeof(processes[0].group) - 1);
	ksr_rows_destroy(&rows);
}

Test(rows, test_what_is_beyond_is_one_row)
{
	enum { COUNT = 1000 };
	struct ksr_top_process *processes = calloc(COUNT, sizeof(*processes));
	struct ksr_rows rows;
	uint64_t needs = 0;

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(processes[i].group, sizeof(processes[i].group), "g%zu", i);
		processes[i].figures.needs = i;
	}
	rows = rows_of(processes, COUNT);
	cr_assert_eq(rows.count, KSR_ROWS_MOST + 1);
	cr_assert_str_eq(rows.rows[KSR_ROWS_MOST].group, KSR_ROWS_REST);
	cr_assert_eq(rows.rows[KSR_ROWS_MOST].processes, COUNT - KSR_ROWS_MOST);
	cr_assert_str_eq(rows.rows[0].group, "g999");
	for (size_t i = 0; i < rows.count; i++)
		needs += rows.rows[i].figures.needs;
	cr_assert_eq(needs, rows.total.figures.needs);
	ksr_rows_destroy(&rows);
	rows = rows_of(processes, 0);
	cr_assert_eq(rows.count, 0);
	ksr_rows_destroy(&rows);
	free(processes);
}

/* --- the token ------------------------------------------------------------------------------------------ */

static int read_token(const char *text, mode_t mode, struct ksr_token *token)
{
	char path[] = "/tmp/ksmalloc-token.XXXXXX";
	char why[KSR_TOKEN_WHY_BYTES] = "";
	int fd = mkstemp(path);
	int error;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	error = ksr_token_read(path, token, why);
	unlink(path);
	cr_assert_eq(error != 0, why[0] != '\0', "%d: %s", error, why);
	return error;
}

Test(token, test_files)
{
	char longest[KSR_TOKEN_MOST + 8];
	struct ksr_token token;

	cr_assert_eq(read_token("0123456789abcdef\n", 0600, &token), 0);
	cr_assert_eq(token.bytes, 16);
	cr_assert_eq(read_token("0123456789abcdef\r\n", 0400, &token), 0);
	cr_assert_neq(read_token("0123456789abcdef\n", 0604, &token), 0);
	cr_assert_neq(read_token("0123456789abcdef\n", 0620, &token), 0);
	cr_assert_neq(read_token("0123456789abcde\n", 0600, &token), 0);
	cr_assert_neq(read_token("0123456789 abcdef\n", 0600, &token), 0);
	cr_assert_neq(read_token("0123456789abcdef\nmore", 0600, &token), 0);
	cr_assert_neq(read_token("0123456789abcd\303\251f\n", 0600, &token), 0);
	cr_assert_neq(read_token("", 0600, &token), 0);
	memset(longest, 'x', sizeof(longest));
	longest[KSR_TOKEN_MOST - 2] = '\0';
	cr_assert_eq(read_token(longest, 0600, &token), 0);
	memset(longest, 'x', sizeof(longest));
	longest[KSR_TOKEN_MOST + 4] = '\0';
	cr_assert_neq(read_token(longest, 0600, &token), 0);
}

Test(token, test_headers)
{
	struct ksr_token token = {.text = "0123456789abcdef", .bytes = 16};
	const struct ksr_token none = {.bytes = 0};

	cr_assert(ksr_token_allows(&none, NULL));
	cr_assert(ksr_token_allows(&token, "Bearer 0123456789abcdef"));
	cr_assert(ksr_token_allows(&token, "bEARER 0123456789abcdef"));
	/* "user:0123456789abcdef", and without padding. */
	cr_assert(ksr_token_allows(&token, "Basic dXNlcjowMTIzNDU2Nzg5YWJjZGVm"));
	cr_assert(ksr_token_allows(&token, "Basic OjAxMjM0NTY3ODlhYmNkZWY="));
	cr_assert(ksr_token_allows(&token, "Basic OjAxMjM0NTY3ODlhYmNkZWY"));
	cr_assert(!ksr_token_allows(&token, NULL));
	cr_assert(!ksr_token_allows(&token, ""));
	cr_assert(!ksr_token_allows(&token, "Bearer"));
	cr_assert(!ksr_token_allows(&token, "Bearer "));
	cr_assert(!ksr_token_allows(&token, "Bearer 0123456789abcdeF"));
	cr_assert(!ksr_token_allows(&token, "Bearer 0123456789abcdef0123456789abcdef"));
	cr_assert(!ksr_token_allows(&token, "Basic MDEyMzQ1Njc4OWFiY2RlZg=="));
	cr_assert(!ksr_token_allows(&token, "Basic "));
	cr_assert(!ksr_token_allows(&token, "Basic ===="));
	token = (struct ksr_token){.text = "aaaaaaaaaaaaaaaa", .bytes = 16};
	cr_assert(!ksr_token_allows(&token, "Bearer a"), "a text that repeats is no token");
}

/* --- history ---------------------------------------------------------------------------------------------- */

Test(history, test_old_points_go)
{
	static struct ksr_history history;
	char *text = NULL;
	size_t bytes;
	FILE *output = open_memstream(&text, &bytes);

	for (uint64_t i = 1; i <= KSR_HISTORY_POINTS + 5; i++)
		ksr_history_add(&history, &(struct ksr_point){.time = i, .ksm = 2 * i});
	ksr_history_write(&history, output);
	fclose(output);
	cr_assert_eq(history.count, KSR_HISTORY_POINTS);
	cr_assert_eq(strncmp(text, "{\"time\":[6,7,8,", strlen("{\"time\":[6,7,8,")), 0, "%.60s", text);
	cr_assert_not_null(strstr(text, ",725],\"needs\":"));
	cr_assert_not_null(strstr(text, "\"ksm\":[12,14,"));
	free(text);
}
