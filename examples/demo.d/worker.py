# SPDX-License-Identifier: BSD-2-Clause
"""worker.py FOLDER [MIB NUMBER]: loads the model, says "ready", then answers each word it reads.

With MIB it also has so much memory that no other worker has: records of its own customers, in
small objects, as a program has them that was told its NUMBER.
"""

import random
import sys

from model import Model

RECORD_BYTES = 400


def own_records(mib, number):
    source = random.Random(number)
    count = mib * 1024 * 1024 // (RECORD_BYTES + 80)  # And what an object and its place take.
    return [source.randbytes(RECORD_BYTES) for _ in range(count)]


def main():
    model = Model(sys.argv[1])
    records = own_records(int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 2 else []
    print("ready", flush=True)
    for line in sys.stdin:
        print(model.answer(line.strip()), flush=True)
    del records


main()
