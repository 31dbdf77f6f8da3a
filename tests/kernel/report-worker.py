# SPDX-License-Identifier: BSD-2-Clause
"""report-worker.py NUMBER: one worker of the test `kernel/report`, under the library.

Three sites: blocks that are equal in all workers, blocks that are not, and blocks for the commands
that it reads: "write" writes to each page of the equal ones, "free" frees them, "fork" makes a
child that answers the same commands, "unique" makes the second site.
"""

import os
import random
import sys

MIB = 1 << 20
BLOCKS = 8


def equal_blocks():
    source = random.Random(1)
    return [bytearray(source.randbytes(MIB)) for _ in range(BLOCKS)]


def unique_blocks(number):
    source = random.Random(1000 + number)
    return [source.randbytes(MIB) for _ in range(BLOCKS)]


def answer(word, held, number):
    if word == "write":
        for block in held["equal"]:
            for page in range(0, MIB, 4096):
                block[page + 16] = 255 - block[page + 16]
    elif word == "free":
        held["equal"].clear()
    elif word == "unique":
        held["unique"] = unique_blocks(number)
    elif word == "fork":
        child = os.fork()
        if child:
            print(child, flush=True)
            os.waitpid(child, 0)
            sys.exit(0)
        return
    print("done", flush=True)


def main():
    number = int(sys.argv[1])
    held = {"equal": equal_blocks()}
    print("ready", flush=True)
    for line in sys.stdin:
        answer(line.strip(), held, number)


main()
