# SPDX-License-Identifier: BSD-2-Clause
"""worker.py FILE TIMES: loads a JSON file so many times, says "ready", waits for the end of input."""

import json
import sys


def main():
    path, times = sys.argv[1], int(sys.argv[2])
    for _ in range(times):
        records = None
        with open(path, "rb") as file:
            records = json.loads(file.read())
    assert records[-1]["id"] == len(records) - 1
    print("ready", flush=True)
    sys.stdin.read()


main()
