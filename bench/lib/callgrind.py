# SPDX-License-Identifier: BSD-2-Clause
"""Counting instructions: what a clock cannot see because it is smaller than its noise."""

import re
import subprocess
import tempfile

from lib.harness import BenchError, need

PAIRS = 100000


def tool(profile, log=None):
    """The command in front of a program whose profile is to lie in a file."""
    return [need("valgrind", "valgrind"), "--tool=callgrind", f"--callgrind-out-file={profile}",
            f"--log-file={log or '/dev/null'}"]


def inclusive(profile, function):
    """Calls of a function in a profile, and the instructions of these with all that they called."""
    names, calls, instructions, called, next_is_cost = {}, 0, 0, None, False
    for line in profile:
        if next_is_cost:
            instructions += int(line.split()[1])
            next_is_cost = False
        elif line.startswith("fn=") or line.startswith("cfn="):
            number, _, name = line.split("=", 1)[1].strip().partition(" ")
            if name:
                names[number] = name
            if line[0] == "c":
                called = names.get(number)
        elif line.startswith("calls=") and called == function:
            calls += int(line[6:].split()[0])
            next_is_cost = True
    if not calls:
        raise BenchError(f"the profile has no call of {function}")
    return calls, instructions


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
