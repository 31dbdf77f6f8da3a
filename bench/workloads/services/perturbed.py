# SPDX-License-Identifier: BSD-2-Clause
"""perturbed.py STEP BYTES: builds data in 1000 steps, and keeps one string more from a step on.

Both numbers have five digits, so that all arguments are equally long; a step above 11000 never comes.
Steps count from 10000: no number of a perturbation is one of python's small ones.
"""

import sys

step, size = int(sys.argv[1]), int(sys.argv[2]) - 10000
kept, extra = [], None
for number in range(10000, 11000):
    if number == step:
        extra = "x" * size
    if number == 10100:
        import json, logging  # noqa: E401
    if number == 10300:
        import asyncio, decimal  # noqa: E401,F401
    kept.append([{"id": number * 100 + row, "name": f"user{number * 100 + row}", "tags": [row, number]}
                 for row in range(60)])
print("ready", flush=True)
sys.stdin.readline()
