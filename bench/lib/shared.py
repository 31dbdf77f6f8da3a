# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks of the shared layout have in common: the workloads and how they are started.

A workload is an interpreter that loads the same data in each worker and then waits. Which way of
starting it lets the workers' memory become equal is what these benchmarks compare.
"""

import contextlib
import pathlib
import re
import subprocess
import tempfile

from lib import merging
from lib.harness import BENCH, PYTHON, BenchError, need

FOLDER = BENCH / "workloads" / "shared"


class Workload:
    """An interpreter with data. sizes are the numbers in its command, all scaled by --scale."""

    def __init__(self, name, workers, sizes, words, needs, data=False, environment=None, profile=True):
        self.name = name
        self.profile = name if profile else None
        self.workers = workers
        self.sizes = sizes
        self.words = words
        self.needs = needs
        self.data = data  # The first size is the number of records in a JSON file.
        # What makes it deterministic apart from its addresses, without ksmalloc. BUILD is the
        # folder of the programs of the benchmarks.
        self.environment = environment or {}

    def command(self, folder, scale, times=1):
        sizes = [str(max(1, round(size * scale))) for size in self.sizes]
        if self.data:
            sizes[0] = str(folder / f"{self.name}.json")
        place = {"FOLDER": str(folder), "WORKLOADS": str(FOLDER)}
        words = [re.sub(r"\b(FOLDER|WORKLOADS)\b", lambda match: place[match.group()], word)
                 for word in self.words]
        return words + sizes + [str(times)]

    def prepare(self, folder, scale):
        """Makes the data, and says what is missing before anything is measured."""
        for program, package in self.needs:
            need(program, package)
        if self.data:
            count = max(1, round(self.sizes[0] * scale))
            with open(folder / f"{self.name}.json", "wb") as file:
                subprocess.run([PYTHON, str(FOLDER / "records.py"), str(count)], stdout=file,
                               check=True)
        if self.name == "java":
            subprocess.run(["javac", "-d", str(folder), str(FOLDER / "Worker.java")], check=True)


WORKLOADS = {workload.name: workload for workload in (
    Workload("python", 8, [150000], [PYTHON, "WORKLOADS/worker.py"], [(PYTHON, "python3")],
             data=True, environment={"PYTHONHASHSEED": "1"}),
    Workload("lua", 8, [150000], ["lua5.4", "WORKLOADS/worker.lua"], [("lua5.4", "lua5.4")],
             environment={"LD_PRELOAD": "BUILD/fixed-time.so"}),
    Workload("php", 8, [60000], ["php", "-d", "memory_limit=-1", "WORKLOADS/worker.php"],
             [("php", "php8.2-cli")], data=True),
    Workload("node", 4, [120000, 800], ["node", "WORKLOADS/worker.js"], [("node", "nodejs")],
             data=True),
    Workload("java", 4, [150000, 512], ["java", "-Xmx512m", "-cp", "FOLDER", "Worker"],
             [("java", "openjdk-17-jre-headless"), ("javac", "openjdk-17-jdk-headless")]),
)}

ARGUMENTS = [
    (["--workloads"], {"default": ",".join(WORKLOADS), "metavar": "A,B",
                       "help": "which interpreters (default %(default)s)"}),
    (["--scale"], {"type": float, "default": 1.0, "metavar": "X",
                   "help": "multiplies the size of their data (default %(default)s)"}),
]


def chosen(text, known, option):
    """The members of known that an option names, in the order of known."""
    names = text.split(",")
    if not set(names) <= set(known):
        raise BenchError(f"{option} knows {', '.join(known)}")
    return [known[name] for name in known if name in names]


def workloads(bench):
    return chosen(bench.options.workloads, WORKLOADS, "--workloads")


@contextlib.contextmanager
def scratch():
    """A folder for seeds, statistics and data that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="ksmalloc-bench-") as name:
        yield pathlib.Path(name)


@contextlib.contextmanager
def workplace(bench):
    """A folder with the data of all chosen workloads."""
    with scratch() as folder:
        for workload in workloads(bench):
            workload.prepare(folder, bench.options.scale)
        yield folder


class Way:
    """A way to start a program: with an allocator preloaded, or through ksmalloc run."""

    def __init__(self, column, allocator, baseline=False, mergeable=False, run=None, profile=False, only=()):
        self.column = column
        self.allocator = allocator
        self.baseline = baseline  # setarch -R, and all memory mergeable
        self.mergeable = mergeable  # all memory, at addresses as Linux gives them
        self.run = run  # the options of ksmalloc run
        self.profile = profile
        self.only = only  # the workloads it is for; none: all

    def is_for(self, workload):
        return not self.only or workload.name in self.only

    def prefix(self, bench, workload, group):
        if self.baseline:
            return ["setarch", "-R", bench.program("mergeable")]
        if self.mergeable:
            return [bench.program("mergeable")]
        if self.run is None:
            return []
        words = merging.group_prefix(bench, group, self.run)
        if self.profile and workload.profile:
            words.append(f"--profile={workload.profile}")
        return words + ["--"]

    def environment(self, bench, workload, folder):
        # ksmalloc run preloads the library itself.
        name = "glibc" if self.run is not None else self.allocator
        extra = merging.group_folders(folder)
        if self.baseline:
            build = str(pathlib.Path(bench.program("fixed-time.so")).parent)
            extra.update({key: value.replace("BUILD", build)
                          for key, value in workload.environment.items()})
        return bench.allocators.environment(name, extra)


def check_shared(pids):
    """All workers have libc at one address; a program that was started unshared has not."""
    found = set()
    for pid in pids:
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        match = re.search(r"^([0-9a-f]+)-.*/libc\.so", maps, re.M)
        found.add(match.group(1) if match else "none")
    if len(found) != 1:
        raise BenchError(f"the workers are not in one layout: libc lies at {', '.join(found)}")
