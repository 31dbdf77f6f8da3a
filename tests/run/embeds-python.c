/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that loads Python for itself, into no scope but its own, and has it run a file. Usage: LIBRARY FILE */
#include <dlfcn.h>
#include <stdio.h>

typedef void initialize_function(int signals);
typedef int run_function(const char *program);

int main(int argc, char **argv)
{
	void *python = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	initialize_function *initialize;
	run_function *run;
	char program[4096];

	if (!python)
		return 77;
	initialize = (initialize_function *)dlsym(python, "Py_InitializeEx");
	run = (run_function *)dlsym(python, "PyRun_SimpleString");
	if (!initialize || !run)
		return 77;
	initialize(0);
	snprintf(program, sizeof(program), "exec(open('%s').read())", argv[2]);
	return run(program) != 0;
}
