/* SPDX-License-Identifier: BSD-2-Clause */
/* guest: what programs need that run inside of a guest and watch its ksmd: the time, files of /proc, KSM's settings. */
#ifndef GUEST_H
#define GUEST_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GUEST_KSM "/sys/kernel/mm/ksm/"
/* How many stages of ksmd's work there are of which the patched kernel knows the CPU time. */
#define STAGES 5

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* False if there is no such file, or nothing in it. One read of a file in /proc is a page of it at most. */
static inline bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t got = 0;
	ssize_t more = fd < 0 ? 0 : 1;

	while (more > 0 && got < size - 1) {
		more = read(fd, text + got, size - 1 - got);
		got += more > 0 ? more : 0;
	}
	if (fd >= 0)
		close(fd);
	text[got] = 0;
	return got > 0;
}

static inline void write_ksm(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), GUEST_KSM "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

/* 0 if there is no such file, as on a kernel that does not know the setting. */
static inline double read_ksm(const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), GUEST_KSM "%s", name);
	return read_text(path, text, sizeof(text)) ? strtod(text, NULL) : 0;
}

/* Ends the name in a KNOB=VALUE, and returns the value. */
static inline char *split_knob(char *knob)
{
	char *value = strchr(knob, '=');

	if (!value) {
		fprintf(stderr, "'%s' is not KNOB=VALUE\n", knob);
		exit(2);
	}
	*value++ = 0;
	return value;
}

/* The CPU time of each stage until now, in microseconds. */
static inline void read_stages(double *micros)
{
	static const char * const stages[STAGES] = { "walk", "hash", "lookup", "compare", "merge" };
	char name[32];
	int i;

	for (i = 0; i < STAGES; i++) {
		snprintf(name, sizeof(name), "cpu_%s_us", stages[i]);
		micros[i] = read_ksm(name);
	}
}

/* The line of what each stage took between two readings, which bench/engine reads. */
static inline void print_stages(const double *before, const double *after)
{
	int i;

	printf("stages ");
	for (i = 0; i < STAGES; i++)
		printf("%s%.0f", i ? "," : "", after[i] - before[i]);
	printf("\n");
}

/* What follows the key in a file of lines, or -1 if it is not there. */
static inline double read_line(const char *path, const char *key)
{
	static char text[65536];
	char *line;

	if (!read_text(path, text, sizeof(text)))
		die(path);
	line = strstr(text, key);
	if (!line)
		return -1;
	line += strlen(key);
	line += strspn(line, " :\t");
	return strtod(line, NULL);
}

/* The processor time of a thread. */
static inline double thread_seconds(int pid)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	return read_text(path, text, sizeof(text)) ? strtod(text, NULL) / 1e9 : 0;
}

/* ksmd is the only thread of that name. */
static inline int find_ksmd(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	char path[64], text[64];
	int pid = 0;

	while (folder && !pid && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		if (atoi(entry->d_name) > 0 && read_text(path, text, sizeof(text)) && !strcmp(text, "ksmd\n"))
			pid = atoi(entry->d_name);
	}
	if (folder)
		closedir(folder);
	if (!pid) {
		fprintf(stderr, "no ksmd\n");
		exit(1);
	}
	return pid;
}

#endif
