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


def share(bench, pids):
    """Percent of the pages of the larger process that the other one has, too.

    Pages that both have from before a fork are equal; such that have their equal at another address count.
    """
    totals = json.loads(diff(bench, pids, "--json", "--no-symbols"))["totals"]
    pages = totals["both"] + max(totals["only_first"], totals["only_second"])
    if not totals["both"]:
        raise BenchError(f"ksmalloc diff found nothing to compare in {pids}: {totals}")
    return 100 * (totals["equal"] + totals["elsewhere"]) / pages


def mean_share(bench, pids):
    """The same of the first process and each other one: two that are equal by chance say little."""
    return statistics.mean(share(bench, [pids[0], pid]) for pid in pids[1:])
