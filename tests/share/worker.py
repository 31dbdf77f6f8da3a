# SPDX-License-Identifier: BSD-2-Clause
"""Loads data, waits for a line on standard input, and says whether the data is what it was.

worker.py [THREADS]: with as many threads beside, which do a little all the time.
"""
import json
import os
import select
import sys
import threading
import time

N = 400000  # so many that what each python has of its own hardly counts
data = json.loads(json.dumps([{"id": i, "name": f"record {i}", "value": i * 1.5} for i in range(N)]))


def work():
    while True:
        assert json.loads(json.dumps(data[:100])) == data[:100]
        time.sleep(0.05)


for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)


def memory():
    size = {}
    for line in open("/proc/self/smaps_rollup"):
        key, _, value = line.partition(":")
        if key in ("Pss", "Pss_Shmem"):
            size[key] = int(value.split()[0])
    held = []
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.stat("/proc/self/fd/" + name)
            if "memfd:ksmalloc-store" in os.readlink("/proc/self/fd/" + name):
                held.append(f"{status.st_ino}:{status.st_blocks // 2}")
        except OSError:
            pass
    return " ".join([str(size["Pss"] - size["Pss_Shmem"]), *held])


buffer = b""
while True:
    select.select([0], [], [])
    piece = os.read(0, 100)
    if not piece:
        break
    buffer += piece
    while b"\n" in buffer:
        line, _, buffer = buffer.partition(b"\n")
        if line.startswith(b"memory"):
            print(memory(), flush=True)
        else:
            wrong = sum(d["id"] != i or d["name"] != f"record {i}" or d["value"] != i * 1.5 for i, d in enumerate(data))
            print(wrong + (len(data) != N), flush=True)
