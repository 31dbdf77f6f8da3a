# SPDX-License-Identifier: BSD-2-Clause
"""What all benchmarks share: allocators, interleaved rounds, statistics, tables, JSON.

A benchmark is a script beside this folder that creates a Benchmark, calls add() for each
measured value and ends with finish(). Rounds are interleaved: round 1 of every allocator comes
before round 2 of the first, and the order rotates, so that a slow minute hits all of them.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RESULTS = BENCH / "results"
PYTHON = "/usr/bin/python3"  # Debian's own: a python of the user's could be built in any way.

# Debian's allocators by the name their soname has, and the package that brings it.
LIBRARIES = {
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "mimalloc": ("libmimalloc.so.2.0", "libmimalloc2.0"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
ALLOCATORS = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "ksmalloc")
# What a document says of how it came to be, or one of its parts that was measured another time.
MADE = ("command", "date", "commit", "machine", "rounds")
MEASURED_PACKAGES = ("libc6", "python3.11", "redis-server", "sqlite3", "lua5.4", "valgrind",
                     "php8.2-cli", "nodejs", "openjdk-17-jre-headless")


class BenchError(Exception):
    """A benchmark that cannot be run here; the message tells the user why."""


def fail(message):
    """Ends the benchmark with one clear line."""
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {message}")


def progress(text):
    """One line on a terminal that the next one replaces; nothing in a log."""
    if sys.stderr.isatty():
        print(f"\r{text:<72}\r", end="", file=sys.stderr, flush=True)


def first_line(path):
    try:
        return pathlib.Path(path).read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""


def output_of(*command):
    """The output of a command that may be missing; the empty string if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def describe_machine():
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    huge = re.search(r"\[(\w+)\]", first_line("/sys/kernel/mm/transparent_hugepage/enabled"))
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": int(memory.group(1)) // 1024 if memory else None,
        "kernel": platform.release().split("-")[0],
        "transparent_hugepages": huge.group(1) if huge else "none",
        "load_average_at_start": first_line("/proc/loadavg").split()[0],
    }


def describe_packages(names=None):
    """The versions of packages that are all installed; those of every benchmark without names."""
    names = names or list(MEASURED_PACKAGES) + [package for _, package in LIBRARIES.values()]
    text = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *names)
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def describe_commit():
    commit = output_of("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    # Results and documents do not change what is measured.
    changed = output_of("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no",
                        "--", "libksmalloc", "preload", "third_party", "kernel", "bench/src")
    return (commit or "unknown") + ("+changes" if changed else "")


def median(values):
    return statistics.median(values)


def format_number(value):
    """Three to four significant digits, which is what these measurements carry."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 1000:
        return f"{value:.0f}"
    if magnitude >= 100:
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"


def format_spread(cell):
    """The median with smallest and largest value, as every table shows it."""
    middle = format_number(cell["median"])
    if cell["min"] == cell["max"]:
        return middle
    return f"{middle} ({format_number(cell['min'])}..{format_number(cell['max'])})"


def format_table(header, rows):
    """Aligned columns: the first one to the left, all others to the right."""
    widths = [max(len(str(row[i])) for row in [header] + rows) for i in range(len(header))]
    lines = []
    for row in [header] + rows:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def library_argument(text):
    """The name and the path of "NAME=PATH"; a path alone is ksmalloc's."""
    name, separator, path = text.partition("=")
    if not separator or "/" in name:
        name, path = "ksmalloc", text
    return name, pathlib.Path(path).resolve()


class Allocators:
    """The allocators that can be preloaded here, in the order of the columns."""

    def __init__(self, wanted, build, libraries=()):
        self.build = pathlib.Path(build).resolve()
        self.paths = {}
        self.missing = {}
        self.libraries = dict(library_argument(text) for text in libraries)
        for name in list(wanted) + [name for name in self.libraries if name not in wanted]:
            self.find(name)

    def find(self, name):
        if name == "glibc":
            self.paths[name] = None
        elif name in self.libraries:
            path = self.libraries[name]
            if not path.exists():
                fail(f"{path} is missing")
            self.paths[name] = path
        elif name == "ksmalloc":
            self.find_file(name, self.build / "libksmalloc.so",
                           "run cmake --preset dev && cmake --build --preset dev")
        elif name in LIBRARIES:
            soname, package = LIBRARIES[name]
            folders = [pathlib.Path("/usr/lib", f"{platform.machine()}-linux-gnu"),
                       pathlib.Path("/usr/lib")]
            found = [folder / soname for folder in folders if (folder / soname).exists()]
            self.find_file(name, found[0] if found else folders[0] / soname,
                           f"apt install {package}")
        else:
            fail(f"unknown allocator {name}; known are {', '.join(ALLOCATORS)}")

    def find_file(self, name, path, remedy):
        if path.exists():
            self.paths[name] = path
        else:
            if path.is_relative_to(ROOT):
                path = path.relative_to(ROOT)  # Results are published: no folders of this machine.
            self.missing[name] = f"{path} is missing: {remedy}"

    def names(self):
        return list(self.paths)

    def environment(self, name, extra=None):
        """The caller's environment without any other allocator's settings."""
        result = {key: value for key, value in os.environ.items()
                  if key != "LD_PRELOAD" and key != "MALLOC_CONF"
                  and not key.startswith(("KSMALLOC_", "MIMALLOC_", "MALLOC_", "GLIBC_TUNABLES"))}
        result["LC_ALL"] = "C.UTF-8"
        if self.paths[name]:
            result["LD_PRELOAD"] = str(self.paths[name])
        result.update(extra or {})
        return result


class Benchmark:
    """One script's run: options, values, goals, and what is printed and written at the end.

    A script that passes None for rounds sets options.rounds before each of its cases.
    """

    def __init__(self, name, description, unit, rounds=3, allocators=ALLOCATORS, arguments=()):
        self.name = name
        self.unit = unit
        self.title = description.splitlines()[0]
        self.parser = argparse.ArgumentParser(
            prog=f"bench/{name}", description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        self.parser.add_argument("--rounds", type=int, default=rounds, metavar="N",
                                 help="interleaved rounds; their median is shown (default "
                                      f"{rounds or 'by case'})")
        self.parser.add_argument("--allocators", default=",".join(allocators), metavar="A,B",
                                 help="which to compare (default %(default)s)")
        self.parser.add_argument("--build", default=str(ROOT / "build" / "dev"), metavar="DIR",
                                 help="the build folder (default build/dev)")
        self.parser.set_defaults(library=[])
        if allocators is ALLOCATORS:  # The others have cases of their own, and `ksmalloc run`.
            self.parser.add_argument("--library", metavar="[NAME=]PATH", action="append",
                                     help="measure this libksmalloc.so instead of the build's, or "
                                          "as a column NAME beside it; may be given several times")
        self.parser.add_argument("--output", metavar="FILE",
                                 help="where the JSON goes (default: it is not written; "
                                      "bench/all writes bench/results/)")
        for flags, settings in arguments:
            self.parser.add_argument(*flags, **settings)
        self.options = self.parser.parse_args()
        if self.options.rounds is not None and self.options.rounds < 1:
            fail("--rounds must be at least 1")
        self.allocators = Allocators(self.options.allocators.split(","), self.options.build,
                                     self.options.library)
        self.machine = describe_machine()
        self.values = {}
        self.goals = []
        self.extra = {}
        self.kept = None
        self.anew = []

    # ---- keeping ---------------------------------------------------------------------------

    def keep(self, names, measured):
        """Keeps what --output knows already of all cases but those for which measured(case) holds: they are measured anew.

        How the kept ones came to be stays what the document says of itself. The new ones become a part of it, which is of
        these names.
        """
        path = pathlib.Path(self.options.output or "")
        if not self.options.output or not path.exists():
            return
        self.kept, self.anew = json.loads(path.read_text()), list(names)
        for cell in self.kept["results"]:
            if not measured(cell["case"]):
                self.values.setdefault((cell["case"], cell["unit"]), {})[cell["column"]] = cell["values"]

    def made(self):
        """How what this run has measured came to be."""
        date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return dict(zip(MADE, (self.command(), date, describe_commit(), self.machine, self.options.rounds)))

    def parts(self):
        """The document's parts that were measured at other times than the rest of it; what is measured anew leaves the former one."""
        if not self.kept:
            return []
        parts = [{**part, "of": [name for name in part["of"] if name not in self.anew]} for part in self.kept.get("parts", [])]
        return [part for part in parts if part["of"]] + [{"of": self.anew, **self.made()}]

    # ---- measuring -----------------------------------------------------------------------

    def program(self, name):
        """A program built from bench/src."""
        path = self.allocators.build / "bench" / name
        if not path.exists():
            fail(f"{path} is missing: run cmake --preset dev && cmake --build --preset dev")
        return str(path)

    def tool(self):
        """The ksmalloc command of the build."""
        path = self.allocators.build / "ksmalloc"
        if not path.exists():
            fail(f"{path} is missing: run cmake --preset dev && cmake --build --preset dev")
        return str(path)

    def turns(self, names=None):
        """Yields (round, name), interleaved, with another first one in each round."""
        names = list(names or self.allocators.names())
        for turn in range(self.options.rounds):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                progress(f"round {turn + 1}/{self.options.rounds}: {name}")
                yield turn, name
        progress("")

    def run(self, allocator, command, extra=None, **settings):
        """Runs a command under an allocator and returns its output."""
        done = subprocess.run(command, env=self.allocators.environment(allocator, extra),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, **settings)
        # The loader only warns when it cannot preload, and we would measure glibc.
        if done.returncode != 0 or "cannot be preloaded" in done.stderr:
            raise BenchError(f"{' '.join(map(str, command))} under {allocator} ended with "
                             f"{done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def add(self, case, column, value, unit=None):
        """Records one value of a case (a row) for a column, usually an allocator."""
        key = (case, unit or self.unit)
        self.values.setdefault(key, {}).setdefault(column, []).append(float(value))

    def median_of(self, case, column, unit=None):
        values = self.values.get((case, unit or self.unit), {}).get(column)
        return median(values) if values else None

    def goal(self, text, value, limit, at_least=False):
        """Records a goal: value at most (or at least) limit. A value of None was not measured."""
        met = None if value is None else (value >= limit if at_least else value <= limit)
        self.goals.append({"text": text, "value": value, "limit": limit,
                           "at_least": at_least, "met": met})

    def ratio_goal(self, text, case, column, reference, limit, unit=None, at_least=False):
        """A goal about one case: the median of the quotients of each round.

        Both values of a round were measured one after the other, so that what slows the machine
        down for a while falls out of the quotient.
        """
        quotients = self.quotients(case, column, reference, unit)
        self.goal(text, median(quotients) if quotients else None, limit, at_least)

    def difference_goal(self, text, case, column, reference, limit, unit=None):
        """A goal about one case: the median of the differences of each round."""
        columns = self.values.get((case, unit or self.unit), {})
        differences = [value - base for value, base
                       in zip(columns.get(column, []), columns.get(reference, []))]
        self.goal(text, median(differences) if differences else None, limit)

    def quotients(self, case, column, reference, unit=None):
        """What a column is of another one, in each round."""
        columns = self.values.get((case, unit or self.unit), {})
        return [value / base for value, base
                in zip(columns.get(column, []), columns.get(reference, [])) if base]

    def add_ratio(self, text, case, column, reference, unit=None):
        """Records the quotients of a case as a case of its own, where they are no goal."""
        for quotient in self.quotients(case, column, reference, unit):
            self.add(text, column, quotient, "ratio")

    # ---- results -------------------------------------------------------------------------

    def cells(self):
        result = []
        for (case, unit), columns in self.values.items():
            for column, values in columns.items():
                result.append({"case": case, "unit": unit, "column": column,
                               "median": median(values), "min": min(values), "max": max(values),
                               "values": values})
        # Cases that are measured anew stay where they were.
        order = {place_of(cell): number for number, cell in enumerate(self.kept["results"] if self.kept else [])}
        return sorted(result, key=lambda cell: order.get(place_of(cell), len(order)))

    def command(self):
        """The command as another reader would give it: without where things lie here."""
        words = [f"bench/{self.name}"]
        for name in self.allocators.libraries:
            words += ["--library", f"{name}=PATH"]
        for action in self.parser._actions:
            value = getattr(self.options, action.dest, None)
            if action.dest in ("output", "build", "library"):
                continue
            if value not in (None, action.default):
                words += [action.option_strings[0]] if value is True else [action.option_strings[0], shlex.quote(str(value))]
        return " ".join(words)

    def document(self):
        return {
            "benchmark": self.name,
            "title": self.title,
            **({name: self.kept[name] for name in MADE} if self.kept else self.made()),
            **({"parts": self.parts()} if self.kept else {}),
            "packages": {**(self.kept["packages"] if self.kept else {}), **describe_packages()},
            "results": self.cells(),
            "goals": self.goals,
            "missing": self.allocators.missing,
            **self.extra,
        }

    def finish(self):
        """Prints the tables and writes the JSON. Goals that are missed do not fail the run."""
        print(render_document(self.document()))
        self.save()

    def save(self):
        """Writes the JSON, where it is wanted."""
        if self.options.output:
            path = pathlib.Path(self.options.output)
            document = self.document()
            document["benchmark"] = path.stem  # One benchmark may be run with several options.
            path.write_text(json.dumps(document, indent=1) + "\n")


def pivot(cells, place):
    """Cells in rows and columns: place(cell) says in which, or None. The columns, and the rows by key, as they come."""
    columns, rows = {}, {}
    for cell in cells:
        found = place(cell)
        if found:
            row, column = found
            columns[column] = None
            rows.setdefault(row, {})[column] = cell
    return list(columns), rows


def spreads(cells, columns):
    """The fields of one row of a pivot."""
    return [format_spread(cells[name]) if name in cells else "-" for name in columns]


def place_of(cell):
    return cell["case"], cell["unit"], cell["column"]


def table_of(document):
    """The header and the rows of a document's results."""
    columns, rows = pivot(document["results"], lambda cell: ((cell["case"], cell["unit"]), cell["column"]))
    order = {name: index for index, name in enumerate(ALLOCATORS)}
    # A column may say more than the allocator: "glibc, all mergeable". The sort is stable.
    columns.sort(key=lambda name: order.get(name.split(",")[0], len(order)))
    return ["case", "unit"] + columns, [[*key, *spreads(cells, columns)] for key, cells in rows.items()]


def goal_rows(document):
    rows = []
    for goal in document["goals"]:
        value = "-" if goal["value"] is None else format_number(goal["value"])
        sign = ">=" if goal["at_least"] else "<="
        verdict = {None: "not measured", True: "met", False: "MISSED"}[goal["met"]]
        rows.append([goal["text"], value, f"{sign} {format_number(goal['limit'])}", verdict])
    return ["goal", "measured", "wanted", "verdict"], rows


def describe_made(made):
    machine = made["machine"]
    return (f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
            f"load {machine['load_average_at_start']} at start, commit {made['commit']}, "
            f"median (min..max) of {made['rounds']} rounds") if machine else f"machine not noted, commit {made['commit']}"


def all_but(parts):
    """What a document's own date and commit are of, where parts of it have others."""
    return f"All but {', '.join(name for part in parts for name in part['of'])}: " if parts else ""


def render_document(document):
    others = document.get("parts", [])
    parts = [f"{document['benchmark']}: {document['title']}", all_but(others) + describe_made(document),
             *(f"{', '.join(part['of'])}: {describe_made(part)}" for part in others), "",
             format_table(*table_of(document))]
    if document["goals"]:
        parts += ["", format_table(*goal_rows(document))]
    parts += [f"Without {name}: {reason}." for name, reason in document["missing"].items()]
    return "\n".join(parts)


def main_guard(main):
    """Runs a script's main; what it cannot do becomes one line and exit code 1.

    SIGTERM unwinds the stack as Ctrl-C does, so that workers end with the script.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main()
    except BenchError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def need(program, package):
    """The path of a program, or a clear failure that names the package."""
    path = shutil.which(program)
    if not path:
        raise BenchError(f"{program} is missing: apt install {package}, or "
                         "packaging/install-packages bench")
    return path
