# SPDX-License-Identifier: BSD-2-Clause
"""What the merge benchmarks share: their cases, data, and the worker group of one run."""

import pathlib
import random
import sys
import tempfile

from lib import ksm
from lib.harness import BENCH, PYTHON, BenchError

MIB = 1 << 20
PAGE = 4096
WORKERS = 8
BLOCKS = 64
# A byte string of one MiB has a header, so it takes one page more than its content.
PAGES_PER_BLOCK = MIB // PAGE + 1
POSSIBLE_PAGES = (WORKERS - 1) * BLOCKS * PAGES_PER_BLOCK

# More pages merged elsewhere than this (2 % of what is possible here) spoil a measurement.
FOREIGN_PAGES = POSSIBLE_PAGES // 50
ATTEMPTS = 4
SERIES_STEP_SECONDS = 0.25

ARGUMENTS = [
    (["--pages-to-scan"], {"type": int, "default": 5000, "metavar": "N",
                           "help": "KSM's pages per batch (default %(default)s)"}),
    (["--sleep-ms"], {"type": int, "default": 20, "metavar": "MS",
                      "help": "KSM's pause between batches (default %(default)s)"}),
    (["--apart"], {"type": float, "default": 2.0, "metavar": "S",
                   "help": "seconds between the starts of two workers (default %(default)s)"}),
    (["--thp"], {"choices": ["always", "madvise", "never"],
                 "help": "huge pages while it runs (default: as the machine has it)"}),
]


class Case:
    """A way to make memory mergeable: an allocator, and whether the launcher marks all of it.

    With options in `run`, the workers are a group of `ksmalloc run` with these.
    """

    def __init__(self, name, allocator, launcher=False, environment=None, run=None):
        self.name = name
        self.allocator = allocator
        self.launcher = launcher
        self.environment = environment or {}
        self.run = run

    def prefix(self, bench):
        if self.run is not None:
            return group_prefix(bench, "bench-merge", self.run) + ["--"]
        return [bench.program("mergeable")] if self.launcher else []

    def variables(self, bench, folder):
        if self.run is not None:
            # ksmalloc run preloads the library itself.
            return bench.allocators.environment("glibc", group_folders(folder) | self.environment)
        return bench.allocators.environment(self.allocator, self.environment)


def group_prefix(bench, group, options):
    """What starts a worker of a group."""
    return [bench.tool(), "run", *options, f"--group={group}", "--quiet"]


def group_folders(folder):
    """The seed of a group lies in the run-time folder and goes with it."""
    return {"XDG_RUNTIME_DIR": str(folder)}


class Disturbed(BenchError):
    """Another process on this machine merged memory at the same time."""


def check_undisturbed(watch, limit=FOREIGN_PAGES):
    if watch.foreign_pages > limit:
        raise Disturbed(f"other processes had {watch.foreign_pages * PAGE // MIB} MiB merged "
                        "meanwhile; use a machine where nothing else merges memory")


def repeat_if_disturbed(measure, *arguments):
    """Calls measure, which must record nothing before it has called check_undisturbed()."""
    for attempt in range(ATTEMPTS):
        try:
            return measure(*arguments)
        except Disturbed as error:
            if attempt == ATTEMPTS - 1:
                raise
            print(f"once more: {error}", file=sys.stderr)
    return None


def settle(watch, limit, name):
    """Waits until two full scans one after the other have merged nothing more of the watched processes.

    The first scan only takes checksums, so that it never merges anything.
    """
    scans, merged, calm = [ksm.read("full_scans")], 0, 0
    while calm < 2:
        watch.run_for(watch.seconds() + 0.2)
        if watch.seconds() > limit:
            raise BenchError(f"{name}: KSM still merges after {limit:.0f} s")
        if ksm.read("full_scans") == scans[-1]:
            continue
        scans.append(ksm.read("full_scans"))
        now = watch.points[-1]["own_pages"]
        calm = calm + 1 if len(scans) > 3 and now - merged <= max(64, merged // 1000) else 0
        merged = now


def available(bench, cases):
    return [case for case in cases if case.allocator in bench.allocators.paths]


def start_inside_wrapper(bench):
    """The options are read first, so that --help and a mistake need neither root nor the lock."""
    ksm.require_wrapper(bench.options.thp)


def make_data():
    """A temporary file with BLOCKS different blocks; the same content in every run."""
    file = tempfile.NamedTemporaryFile(prefix="ksmalloc-bench-")
    file.write(random.Random(1).randbytes(BLOCKS * MIB))
    file.flush()
    return file


def start_workers(bench, group, case, data, unique, folder=None):
    """Cases with options in `run` need a folder for what a group writes."""
    worker = pathlib.Path(BENCH, "workloads", "merge-worker.py")
    commands = [case.prefix(bench) + [PYTHON, str(worker), data.name, str(index * BLOCKS // WORKERS),
                            str(unique)] for index in range(WORKERS)]
    group.start_all(commands, case.variables(bench, folder), bench.options.apart)
    group.check_alive()


def thin_out(points):
    """Enough points for a plot: seconds, MiB saved."""
    series, due = [], 0.0
    for point in points:
        if point["seconds"] >= due:
            saved = point["sharing_pages"] * PAGE / MIB
            series.append([round(point["seconds"], 2), round(saved, 1)])
            due += SERIES_STEP_SECONDS
    return series
