# SPDX-License-Identifier: BSD-2-Clause
"""Counting instructions: what a clock cannot see because it is smaller than its noise."""

import re
import subprocess
import tempfile

from lib.harness import BenchError, need

PAIRS = 100000


def callgrind(log):
    return [need("valgrind", "valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null",
            f"--log-file={log.name}"]


def environment_of(bench, allocator):
    # The library stands down under Valgrind unless it is told to stay. Python's hashes, and with
    # them the layout of its tables, are otherwise others in each run.
    return bench.allocators.environment(allocator, {"KSMALLOC_VALGRIND": "1", "PYTHONHASHSEED": "0"})


def collected(log, what):
    """What callgrind counted, from its log."""
    text = log.read()
    found = re.search(r"Collected : (\d+)", text)
    if not found:
        raise BenchError(f"callgrind of {what} counted nothing: {text.strip()[-400:]}")
    return int(found.group(1))


def count_pairs(bench, allocator, pairs):
    """Instructions of a run with so many pairs of malloc(64) and free."""
    with tempfile.NamedTemporaryFile("r") as log:
        command = callgrind(log) + [bench.program("pairs"), str(pairs), "64"]
        done = subprocess.run(command, env=environment_of(bench, allocator),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False)
        # The loader only warns when it cannot preload, and we would measure glibc.
        if done.returncode != 0 or "cannot be preloaded" in done.stderr:
            raise BenchError(f"callgrind under {allocator} ended with {done.returncode}: "
                             f"{done.stderr.strip()[-400:]}")
        return collected(log, f"pairs under {allocator}")


def pair_instructions(bench, allocator):
    """Instructions of a malloc(64) and its free: the difference of two runs has the loop only."""
    loop = count_pairs(bench, allocator, PAIRS) - count_pairs(bench, allocator, 0)
    return loop / PAIRS
