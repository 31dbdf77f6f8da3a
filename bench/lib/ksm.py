# SPDX-License-Identifier: BSD-2-Clause
"""KSM as the benchmarks use it. Settings are saved and restored by lib/with-ksm, not here."""

import os
import pathlib
import sys
import time

from lib import memory
from lib.harness import BENCH, BenchError

FOLDER = pathlib.Path("/sys/kernel/mm/ksm")
WRAPPER = BENCH / "lib" / "with-ksm"
INSIDE = "KSMALLOC_BENCH_INSIDE_WITH_KSM"


def require_wrapper(thp=None):
    """Starts this script again inside with-ksm, unless it runs there already."""
    if os.environ.pop(INSIDE, None):
        return
    os.environ[INSIDE] = "1"
    mode = ["--thp", thp] if thp else []
    os.execv(WRAPPER, [str(WRAPPER)] + mode + [sys.executable] + sys.argv)


def read(name):
    return int((FOLDER / name).read_text())


def write(name, value):
    (FOLDER / name).write_text(f"{value}\n")


def daemon_pid():
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text() == "ksmd\n":
                    return int(entry.name)
            except OSError:
                continue
    raise BenchError("there is no ksmd in this pid namespace, so its CPU time cannot be read")


def unmerge():
    """Undoes all merging, so that a case starts from nothing, and leaves KSM stopped."""
    write("run", 2)
    write("run", 0)


def start(pages_to_scan, sleep_millisecs, skip=True):
    """Without skip each full scan visits all pages, also those that did not merge lately."""
    if not skip and (FOLDER / "smart_scan").exists():
        write("smart_scan", 0)
    write("pages_to_scan", pages_to_scan)
    write("sleep_millisecs", sleep_millisecs)
    write("run", 1)


class Watch:
    """Records how much KSM has merged, scanned and worked over time.

    KSM's counters are the machine's. foreign_pages is the most that was merged at any time in other
    processes than pids: more than a few, and what was recorded is not about these alone.
    """

    def __init__(self, pids):
        self.pids = pids
        self.foreign_pages = 0
        self.daemon = daemon_pid()
        self.scanned_before = read("pages_scanned")
        self.cpu_before = memory.cpu_ns(self.daemon)
        self.begin = time.monotonic()
        self.points = []

    def seconds(self):
        return time.monotonic() - self.begin

    def sample(self):
        point = {
            "seconds": self.seconds(),
            "sharing_pages": read("pages_sharing"),
            "scanned_pages": read("pages_scanned") - self.scanned_before,
            "ksmd_seconds": (memory.cpu_ns(self.daemon) - self.cpu_before) / 1e9,
        }
        self.points.append(point)
        own = sum(memory.merging_pages(pid) for pid in self.pids)
        point["own_pages"] = own
        foreign = point["sharing_pages"] + read("pages_shared") - own
        self.foreign_pages = max(self.foreign_pages, foreign)
        return point

    def run_for(self, seconds, step=0.1):
        while self.seconds() < seconds:
            time.sleep(step)
            self.sample()
        return self.points[-1]

    def run_until(self, pages, limit_seconds, step=0.02):
        """Until that many pages are saved; None if the limit comes first."""
        while self.seconds() < limit_seconds:
            time.sleep(step)
            point = self.sample()
            if point["sharing_pages"] >= pages:
                return point
        return None

    def first_reaching(self, pages):
        """The first sample with that many saved pages, or None."""
        return next((point for point in self.points if point["sharing_pages"] >= pages), None)
