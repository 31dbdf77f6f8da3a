# SPDX-License-Identifier: BSD-2-Clause
"""merge-worker.py FILE FIRST UNIQUE: one worker of the merge benchmark.

Reads FILE as byte strings of one MiB, beginning at block FIRST and wrapping around, so that no two
workers build them in the same order. Then fills UNIQUE bytearrays of one MiB with random content.
Prints "ready" and waits until its standard input is closed.
"""

import os
import sys

MIB = 1 << 20


def main():
    path, first, unique = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count = os.path.getsize(path) // MIB
    equal = {}
    with open(path, "rb", buffering=0) as file:
        for block in (i % count for i in range(first, first + count)):
            file.seek(block * MIB)
            equal[block] = file.read(MIB)  # PyBytes_FromStringAndSize allocates it.
    own = []
    with open("/dev/urandom", "rb", buffering=0) as random:
        for _ in range(unique):
            block = bytearray(MIB)  # Not a byte string: another function, so another site.
            random.readinto(block)
            own.append(block)
    assert all(len(block) == MIB for block in equal.values())
    print("ready", flush=True)
    sys.stdin.read()


main()
