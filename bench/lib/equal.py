# SPDX-License-Identifier: BSD-2-Clause
"""The share of equal pages of two processes, as `ksmalloc diff` sees it."""

import json
import statistics
import subprocess

from lib.harness import BenchError


def diff(bench, pids, *options):
    words = [bench.tool(), "diff", "--stop", *options, *map(str, pids)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise BenchError(f"ksmalloc diff ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# What only tells one process from another: ids, times, and what was drawn at random.
NOISE = {"id", "id_text", "time", "random", "at_random"}


def compare(bench, pids):
    """Percent of the pages of the larger process that the other one has, too, and that differ in noise alone.

    Pages that both have from before a fork are equal; such that have their equal at another address count.
    """
    found = json.loads(diff(bench, pids, "--json", "--no-symbols", "--top", "100000"))
    totals = found["totals"]
    pages = totals["both"] + max(totals["only_first"], totals["only_second"])
    if not totals["both"]:
        raise BenchError(f"ksmalloc diff found nothing to compare in {pids}: {totals}")
    noise = sum(reason["alone"] for reason in found["reasons"] if reason["reason"] in NOISE)
    return 100 * (totals["equal"] + totals["elsewhere"]) / pages, 100 * noise / pages


def share(bench, pids):
    """The share of equal pages alone."""
    return compare(bench, pids)[0]


def mean_compare(bench, pids):
    """The same as compare() of the first process and each other one: two that are equal by chance say little."""
    pairs = [compare(bench, [pids[0], pid]) for pid in pids[1:]]
    return tuple(statistics.mean(values) for values in zip(*pairs))
