# SPDX-License-Identifier: BSD-2-Clause
"""A program of hundreds of megabytes with debug information, made in seconds.

One unit (src/unit.c) is compiled; copies of its object have other names of equal length, in their symbols, strings and
debug information, and are linked with a main program that calls each of them.
"""

import subprocess

from lib.harness import BENCH, BenchError

PLACEHOLDER = b"unit_0000"

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
%(declarations)s
static void *(*const enter[])(unsigned int, size_t) = {%(table)s};
__attribute__((noinline)) void *large_allocate(size_t size)
{
	void *block = malloc(size);
	if (block)
		memset(block, 1, size);
	return block;
}
/* One call stack for each unit, and enough of each that it is not left with the small ones. */
int main(void)
{
	char byte;
	for (unsigned int i = 0; i < sizeof(enter) / sizeof(enter[0]); i++)
		for (int turn = 0; turn < 5; turn++)
			enter[i](8 + i %% 5, 100000);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	return 0;
}
"""


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[:500]}")


def name_of(number):
    return f"unit_{number:04d}"


def write_main(folder, units):
    names = [name_of(number) for number in range(1, units + 1)]
    text = MAIN % {"declarations": "\n".join(f"void *{name}_enter(unsigned int, size_t);" for name in names),
                   "table": ", ".join(f"{name}_enter" for name in names)}
    (folder / "main.c").write_text(text)
    run("cc", "-O1", "-g", "-c", folder / "main.c", "-o", folder / "main.o")


def make(folder, mebibytes):
    """Makes folder/program of about that size, and returns its path. Objects are deleted again."""
    unit = folder / "unit.o"
    run("cc", "-O1", "-g", "-c", BENCH / "src" / "unit.c", "-o", unit)
    content = unit.read_bytes()
    # Relocations and what the linker joins are not in the program: some six of ten bytes are.
    units = min(9999, int(mebibytes * (1 << 20) / (len(content) * 0.585)))
    write_main(folder, units)
    objects = []
    for number in range(1, units + 1):
        path = folder / f"{name_of(number)}.o"
        path.write_bytes(content.replace(PLACEHOLDER, name_of(number).encode()))
        objects.append(str(path))
    (folder / "objects").write_text("\n".join(objects))
    program = folder / "program"
    run("cc", "-Wl,--build-id", "-o", program, folder / "main.o", f"@{folder / 'objects'}")
    for path in folder.glob("*.o"):
        path.unlink()
    return program
