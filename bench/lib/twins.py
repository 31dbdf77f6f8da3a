# SPDX-License-Identifier: BSD-2-Clause
"""Two processes that do nearly the same: what share of their pages is equal.

Forks of one process, workers that differ in what workers differ in, and a process beside others that
allocate once more than it does, at a random moment: the seed of these moments is fixed.
"""

import contextlib
import os
import pathlib
import random
import statistics
import subprocess
import tempfile

from lib import equal, processes, services, shared
from lib.harness import BENCH, PYTHON, BenchError, need
from lib.services import ALONE, FIXED, SERVICE, SHARED

FOLDER = BENCH / "workloads" / "services"
EQUAL = "equal pages"
TENTH = "equal pages, 10th percentile"
EQUAL_GOAL, MEDIAN_GOAL, TENTH_GOAL = 97, 95, 90
# Columns of servers that say nothing here: nothing is merged.
COLUMNS = (services.GLIBC, FIXED, services.PRIVATE, SHARED)
SECONDS = 60


class Pair:
    """Processes that print "ready" and wait for the end of their input."""

    def __init__(self, bench, way, name, profile, folder):
        self.bench, self.name, self.folder = bench, name, folder
        self.prefix = way.prefix(bench, f"bench-{name}-{os.getpid():07}", profile)
        self.started = []
        self.fixed = way.fixed

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pids = processes.tree([one.pid for one in self.started])
        for one in list(self.started):
            self.end(one)
        left = processes.wait_gone(pids, 10)
        processes.kill(left)
        if left and exception[0] is None:
            raise BenchError(f"{self.name}: processes {left} had to be killed")

    def end(self, process):
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if process in self.started:
            self.started.remove(process)

    def start(self, command, extra=None, cwd="/", ready=1):
        """Starts a process and waits until it, or each of its children, is ready."""
        environment = services.environment(self.folder, extra)
        process = subprocess.Popen(self.prefix + command, env=environment, cwd=cwd, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started.append(process)
        for _ in range(ready):
            if process.stdout.readline().strip() != "ready":
                raise BenchError(f"{self.name}: a process ended with {process.poll()} while it loaded")
        return process

    def children(self, process):
        return processes.tree([process.pid])[1:]


class Twin:
    """A case: what is started and compared. fork: children of one process; else two processes."""

    profile = "python"

    def __init__(self, name):
        self.name = name

    def ways(self, ways):
        return [way for way in ways if way.column in COLUMNS]

    def prepare(self):
        need(PYTHON, "python3")

    def measure(self, bench, way, folder):
        """Records what one run showed."""
        raise NotImplementedError

    def add_goals(self, bench):
        bench.goal(f"{self.name}: percent of equal pages", bench.median_of(
            f"{self.name}: {EQUAL}", SHARED, "%"), EQUAL_GOAL, at_least=True)


class Forked(Twin):
    """Two children of one master; in the column "one by one" two processes."""

    def __init__(self, name, argument, profile, words, package):
        super().__init__(name)
        self.argument = argument
        self.profile = profile
        self.words = words
        self.package = package

    def prepare(self):
        need(self.words[0], self.package)

    def ways(self, ways):
        return [way for way in ways if way.column in COLUMNS + (ALONE,)]

    def measure(self, bench, way, folder):
        command = [self.words[0], str(FOLDER / self.words[1])]
        with Pair(bench, way, self.name, self.profile, folder) as pair:
            if way.form == SERVICE:
                pids = pair.children(pair.start(command + [self.argument], ready=2))
            else:
                pids = [pair.start(command + ["single"]).pid for _ in range(2)]
            if len(pids) != 2:
                raise BenchError(f"{self.name}: {pids} are not two processes")
            bench.add(f"{self.name}: {EQUAL}", way.column, equal.share(bench, pids), "%")


class Differing(Twin):
    """Two workers that differ in one of the things by which real ones differ."""

    # For each: what the two workers get, beside the environment of all.
    KINDS = {
        "folder": ({"cwd": "a"}, {"cwd": "a-longer-folder"}),
        "environment": ({"extra": {"PORT": "8001"}}, {"extra": {"PORT": "18002", "NAME": "second"}}),
        "argument": ({"arguments": ["--id=1"]}, {"arguments": ["--id=10"]}),
        "arguments": ({"arguments": ["--id=1"]}, {"arguments": ["--id=1", "--second"]}),
        # Of one size class, and far apart.
        "length": ({"extra": {"PORT": "8001"}}, {"extra": {"PORT": "18002"}}),
        "longer": ({"extra": {"PORT": "8001"}}, {"extra": {"PORT": "unix:" + 20 * "/a-folder"}}),
        "log": ({"log": "w.log"}, {"log": "worker-two.log"}),
        # A file appears in a folder that both import from.
        "entry": ({"imports": True}, {"imports": True, "entry": "worker-two.pid"}),
        **{kind: ({"extra": {"SERVICE_KEEP": kind}},) * 2 for kind in ("pid", "time", "temporary", "random")},
        "objects": ({"extra": {"SERVICE_KEEP": "objects"}, "arguments": ["--less"]},
                    {"extra": {"SERVICE_KEEP": "objects"}, "arguments": ["--more"]}),
        # The first one compiles what the second one finds compiled.
        "compiled": ({"compiles": True},) * 2,
    }

    # Of these interpreters only what they get from outside is varied.
    OTHERS = {
        "php": (["/usr/bin/php", "differing.php"], "php-cli", {}),
        "perl": (["/usr/bin/perl", "differing.pl"], "perl", {"PERL_HASH_SEED": "1", "PERL_PERTURB_KEYS": "0"}),
        "ruby": (["/usr/bin/ruby", "differing.rb"], "ruby", {}),
        "lua": (["/usr/bin/lua5.4", "differing.lua"], "lua5.4", {}),
    }
    FROM_OUTSIDE = ("environment", "argument", "arguments", "length", "longer")

    def __init__(self, kind, language="python"):
        super().__init__(f"differing-{kind}" + (f"-{language}" if language != "python" else ""))
        self.kind = kind
        self.profile = language
        self.words, self.package, self.fixed_environment = self.OTHERS.get(
            language, ([PYTHON, "differing.py"], "python3", {"PYTHONHASHSEED": "1"}))

    def prepare(self):
        need(self.words[0], self.package)

    def measure(self, bench, way, folder):
        with Pair(bench, way, self.name, self.profile, folder) as pair:
            pids = []
            new = pathlib.Path(tempfile.mkdtemp(dir=folder))
            for variant in self.KINDS[self.kind]:
                place = folder / variant.get("cwd", "a")
                place.mkdir(exist_ok=True)
                extra = dict(variant.get("extra", {}))
                if way.fixed:
                    extra |= self.fixed_environment
                if "imports" in variant:
                    extra["PYTHONPATH"] = str(new)
                    (new / variant.get("entry", "one")).touch()
                if "compiles" in variant:
                    extra["PYTHONPYCACHEPREFIX"] = str(new)
                if "log" in variant:
                    extra["SERVICE_LOG"] = str(place / variant["log"])
                command = [self.words[0], str(FOLDER / self.words[1]), *variant.get("arguments", [])]
                pids.append(pair.start(command, extra, place).pid)
            bench.add(f"{self.name}: {EQUAL}", way.column, equal.share(bench, pids), "%")


class Perturbed(Twin):
    """One process, and others that allocate 1 to 1000 bytes more, at a random step of 1000."""

    def __init__(self, language, words, package, environment=None):
        super().__init__(f"perturbed-{language}")
        self.profile = language if language != "c" else None
        self.words = words
        self.package = package
        self.fixed_environment = environment or {}

    def ways(self, ways):
        return [way for way in ways if way.column in (FIXED, SHARED)]

    def prepare(self):
        if self.package:
            need(self.words[0], self.package)

    def command(self, bench):
        if not self.package:
            return [bench.program("perturbed")]
        return [self.words[0], str(FOLDER / self.words[1])]

    def measure(self, bench, way, folder):
        moments = random.Random(1)
        values = []
        command = self.command(bench)
        with Pair(bench, way, self.name, self.profile, folder) as pair:
            def start(step, size):
                extra = dict(self.fixed_environment) if way.fixed else {}
                if "LD_PRELOAD" in extra:
                    extra["LD_PRELOAD"] = bench.program(extra["LD_PRELOAD"])
                return pair.start([*command, str(step), str(size)], extra)
            base = start(99999, 10001)
            same = start(99999, 10001)
            unperturbed = equal.share(bench, [base.pid, same.pid])
            pair.end(same)
            for _ in range(bench.options.perturbations):
                other = start(moments.randrange(10000, 11000), moments.randint(10001, 11000))
                values.append(equal.share(bench, [base.pid, other.pid]))
                pair.end(other)
        bench.add(f"{self.name}: {EQUAL}, not perturbed", way.column, unperturbed, "%")
        for value in values:
            bench.add(f"{self.name}: {EQUAL}", way.column, value, "%")
        tenth = statistics.quantiles(values, n=10, method="inclusive")[0] if len(values) > 1 else values[0]
        bench.add(f"{self.name}: {TENTH}", way.column, tenth, "%")

    def add_goals(self, bench):
        bench.goal(f"{self.name}: percent of equal pages, median",
                   bench.median_of(f"{self.name}: {EQUAL}", SHARED, "%"), MEDIAN_GOAL, at_least=True)
        bench.goal(f"{self.name}: percent of equal pages, 10th percentile",
                   bench.median_of(f"{self.name}: {TENTH}", SHARED, "%"), TENTH_GOAL, at_least=True)


TWINS = {twin.name: twin for twin in (
    *(Forked(f"fork-{argument}", argument, "python", [PYTHON, "fork-diverges.py"], "python3")
      for argument in ("plain", "perturb")),
    *(Forked(f"fork-ruby-{argument}", argument, "ruby", ["/usr/bin/ruby", "fork-diverges.rb"], "ruby")
      for argument in ("plain", "perturb")),
    *(Differing(kind) for kind in Differing.KINDS),
    *(Differing(kind, language) for language in Differing.OTHERS for kind in Differing.FROM_OUTSIDE),
    Perturbed("python", [PYTHON, "perturbed.py"], "python3", {"PYTHONHASHSEED": "1"}),
    Perturbed("lua", ["/usr/bin/lua5.4", "perturbed.lua"], "lua5.4", {"LD_PRELOAD": "fixed-time.so"}),
    Perturbed("perl", ["/usr/bin/perl", "perturbed.pl"], "perl",
              {"PERL_HASH_SEED": "1", "PERL_PERTURB_KEYS": "0"}),
    Perturbed("ruby", ["/usr/bin/ruby", "perturbed.rb"], "ruby"),
    Perturbed("c", [], None),
)}


def run(bench, chosen, ways):
    """Each round has a folder of its own, and with it seeds of its own: they decide how far a difference spreads."""
    for twin in chosen:
        twin.prepare()
    turns = {f"{twin.name}, {way.column}": (twin, way) for twin in chosen for way in twin.ways(ways)}
    folders = {}
    with contextlib.ExitStack() as stack:
        for turn, name in bench.turns(turns) if turns else ():
            if turn not in folders:
                folders[turn] = stack.enter_context(shared.scratch())
            twin, way = turns[name]
            twin.measure(bench, way, folders[turn])


def add_goals(bench, chosen):
    for twin in chosen:
        twin.add_goals(bench)
