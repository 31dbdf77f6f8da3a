# SPDX-License-Identifier: BSD-2-Clause
"""Loads the same 24 MiB as its siblings, half of it in large blocks, starts a thread, which needs a keeper, and answers lines."""
import random
import sys
import threading
import time

MEGABYTES = int(sys.argv[1]) if len(sys.argv) > 1 else 24
dice = random.Random(7)
blocks = [dice.randbytes(1 << 20) for _ in range(MEGABYTES // 2)]
rows = [{"number": number, "name": f"row {number}"} for number in range(MEGABYTES * 1600)]
threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
print("ready", flush=True)
while True:
    time.sleep(1)
    if sum(block[17] for block in blocks) < 0 or rows[-1]["number"] != len(rows) - 1:
        sys.exit(1)
