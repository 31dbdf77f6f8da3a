# SPDX-License-Identifier: BSD-2-Clause
"""records.py COUNT: prints a JSON list of COUNT records, the same in every run."""

import json
import random
import sys


def record(number, count, draw):
    return {
        "id": number,
        "name": f"user {number * 7919 % count}",
        "email": f"user{number}@example.org",
        "tags": [f"tag {draw.randrange(1000)}", f"tag {draw.randrange(1000)}"],
        "score": draw.randrange(1 << 20) / 8,
        "address": {
            "street": f"street {draw.randrange(100000)}",
            "number": draw.randrange(1000),
            "city": f"city {number % 997}",
        },
    }


def main():
    count = int(sys.argv[1])
    draw = random.Random(3)
    lines = (json.dumps(record(number, count, draw)) for number in range(count))
    print("[" + ",\n".join(lines) + "]")


main()
