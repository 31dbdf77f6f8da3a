# SPDX-License-Identifier: BSD-2-Clause
"""A program that knows nothing of ksmalloc: loads a table of 32 MiB and waits for end of input."""

import random
import sys

source = random.Random(1)
table = [source.randbytes(1 << 20) for _ in range(32)]
print("loaded", len(table), "blocks", flush=True)
sys.stdin.read()
