/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that has ruby within itself, and arguments and variables of its own: its script opens files, which is what
 * the profile's helper follows, and gives itself a name. It prints what became of both. Usage: FOLDER, with files 0 to 8
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As in ruby's headers. */
void ruby_sysinit(int *count, char ***arguments);
void ruby_init_stack(void *end);
int ruby_setup(void);
void ruby_init_loadpath(void);
unsigned long rb_eval_string_protect(const char *program, int *status);

int main(int argc, char **argv)
{
	char *variable = environ[0], name[4096], program[8192];
	int status = 0;

	if (argc < 2)
		return 77;
	snprintf(name, sizeof(name), "%s", argv[0]);
	snprintf(program, sizeof(program), "9.times { |n| File.open(\"%s/#{n}\").close; 100.times { |i| i.to_s } }; $0 = 'a-name'", argv[1]);
	ruby_sysinit(&argc, &argv);
	ruby_init_stack(&status);
	if (ruby_setup())
		return 2;
	ruby_init_loadpath();
	rb_eval_string_protect(program, &status);
	if (status)
		return 3;
	printf("variables %s, arguments %s, %d\n", environ[0] == variable ? "stay" : "were moved",
	       strcmp(argv[0], name) ? "were overwritten" : "stay", argc);
	return 0;
}
