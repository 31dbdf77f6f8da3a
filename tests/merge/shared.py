# SPDX-License-Identifier: BSD-2-Clause
"""Starts programs in the shared layout and waits until the scanner has merged what it can."""
import os
import re
import subprocess
import time

import workers as w

SOURCE = os.environ["KSM_SOURCE"] + "/bench/workloads/shared/"
WORK = os.environ["KSMALLOC_STATS_DIR"]


def command(profile, words):
    """ksmalloc run before a program; the seed of the group goes with the test's folder."""
    options = [f"--profile={profile}", "--quiet"] if profile else []
    return [os.environ["KSM_BUILD"] + "/ksmalloc", "run", "--layout=shared", "--group=test", *options, "--", *words]


class Program(w.Worker):
    """A program that prints one line when it is ready and ends with its input."""

    def __init__(self, words):
        settings = dict(os.environ, XDG_RUNTIME_DIR=WORK)
        settings.pop("LD_PRELOAD", None)
        self.process = subprocess.Popen(words, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid


def start(number, words, apart):
    """So many programs, some seconds apart: clocks differ then, as they do in real life."""
    group = []
    for i in range(number):
        if i:
            time.sleep(apart)
        group.append(Program(words))
    for program in group:
        program.expect("ready")
    return group


def pss(pids):
    """KiB of all processes together; a page counts by its part in each that has it."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += int(re.search(r"^Pss:\s+(\d+) kB$", file.read(), re.M).group(1))
    return total


def percent_gone(before, after, number):
    """What is gone, of (n-1)/n of what they held."""
    return 100 * (before - after) / (before * (number - 1) / number)


def scanner(on):
    # 2 undoes what is merged, so that what they hold without merging can be read.
    with open(w.KSM + "run", "w") as file:
        file.write("1\n" if on else "2\n")


class Process:
    """What settle() needs of a process that somebody else started."""

    def __init__(self, pid):
        self.pid = pid

    merging_pages = w.Worker.merging_pages
