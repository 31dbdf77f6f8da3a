# SPDX-License-Identifier: BSD-2-Clause
"""RESULTS.md and the charts, made from bench/results/*.json and from nothing else."""

import json
import re

from lib import enginecharts, heapmap, merging, pages, plot
from lib.harness import (ALLOCATORS, BENCH, RESULTS, ROOT, all_but, format_number, goal_rows, median, pivot, spreads,
                         table_of)


def markdown_table(header, rows):
    lines = ["| " + " | ".join(header) + " |",
             "|---|" + "---:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def draw_merge(document, path):
    huge = " (huge pages on)" if document["machine"]["transparent_hugepages"] == "always" else ""
    chart = plot.Chart(f"Memory saved in 8 python3 workers after KSM is started{huge}",
                       "seconds", "MiB")
    series = document["series"]
    limit = merging.POSSIBLE_PAGES * merging.PAGE / merging.MIB
    chart.add_limit(limit, "what equality of the byte strings allows")
    for name, points in sorted(series.items(), key=lambda item: item[0].startswith("ksmalloc")):
        chart.add_line(name, [[0, 0]] + points)
    longest = max(points[-1][0] for points in series.values())
    highest = max([limit] + [point[1] for points in series.values() for point in points])
    chart.save(path, plot.linear_axis(longest, *plot.x_span()),
               plot.linear_axis(highest, *plot.y_span()))


# The lines of the chart of heaps full of pointers: the column of each, and its name.
SHARED_LINES = {"glibc, all mergeable": "glibc, all mergeable",
                "ksmalloc, shared": "ksmalloc, --layout=shared --profile=python"}


def draw_shared(document, path):
    """What is left of python's heaps over time."""
    chart = plot.Chart("Memory of 8 python3 workers with equal records, after KSM is started", "seconds", "MiB")
    lines = {name: document["series"][f"python: {column}"] for column, name in SHARED_LINES.items()}
    for name, points in lines.items():
        chart.add_line(name, points)
    chart.save(path, plot.linear_axis(max(points[-1][0] for points in lines.values()), *plot.x_span()),
               plot.linear_axis(max(points[0][1] for points in lines.values()), *plot.y_span()))


def bytes_of(case):
    number, unit = re.match(r"(\d+) (B|KiB|MiB),", case).groups()
    return int(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def draw_sizes(document, path):
    chart = plot.Chart("malloc, write one byte, free: time by size, one thread",
                       "size of the block", "ns, logarithmic")
    lines = {}
    for cell in document["results"]:
        if cell["case"].endswith(", 1 thread"):
            lines.setdefault(cell["column"], []).append([bytes_of(cell["case"]), cell["median"]])
    for name in (name for name in ALLOCATORS if name in lines):
        chart.add_line(name, sorted(lines[name]))
    sizes = [point[0] for points in lines.values() for point in points]
    times = [point[1] for points in lines.values() for point in points]
    ticks = [(16, "16 B"), (256, "256 B"), (4096, "4 KiB"), (65536, "64 KiB"),
             (1 << 20, "1 MiB"), (4 << 20, "4 MiB")]
    chart.save(path, plot.Axis(min(sizes), max(sizes), *plot.x_span(), ticks, logarithmic=True),
               plot.decade_axis(min(times), max(times), *plot.y_span()))


# The lines of the kernel's chart, and their names in it: bench/kernel keeps their points.
KERNEL_LINES = {"stock, needle": "stock kernel", "patched, needle": "hinted",
                "patched, settled": "settled", "patched, merge-now": "on request"}


def draw_kernel(document, path):
    """How much of the equal memory beside 1 GiB of unique memory is merged, over time."""
    chart = plot.Chart("Equal memory that is merged, beside 2 x 1 GiB of unique memory",
                       "seconds after KSM is started, logarithmic", "percent")
    series = document["series"]
    first, longest = 0.02, 1.0
    for key, name in KERNEL_LINES.items():
        points = [[max(seconds, first), percent] for seconds, percent in series.get(key, [])]
        if points:
            chart.add_line(name, points)
            longest = max(longest, points[-1][0])
    ticks = [(value, f"{value:g}") for value in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
             if value <= longest]
    chart.save(path, plot.Axis(first, longest, *plot.x_span(), ticks, logarithmic=True),
               plot.linear_axis(100, *plot.y_span()))


def draw_heaps(document, path):
    heapmap.save(path, "Memory of one forked python worker, page by page, beside its sibling's",
                 {name: pages.lengthen(runs) for name, runs in document["pages"].items()})


CHARTS = {"heaps": draw_heaps, "kernel": draw_kernel, "merge": draw_merge,
          "merge-huge-pages": draw_merge, "shared-stock": draw_shared, "sizes": draw_sizes}


def how_often(rounds):
    return "single run" if rounds == 1 else f"median (smallest..largest) of {rounds} rounds"


def how_made(made):
    """The command of a document or of a part of one, when it was given, and on what."""
    machine = made["machine"]
    words = [f"`{made['command']}`", made["date"][:10], f"commit {made['commit']}", how_often(made["rounds"])]
    words += [f"{machine['cpu']}, {machine['cores']} cores", f"huge pages `{machine['transparent_hugepages']}`",
              f"load {machine['load_average_at_start']} at the start"] if machine else ["which machine was not noted"]
    return ", ".join(words) + "."


def section(document):
    others = document.get("parts", [])
    parts = [f"## {document['benchmark']}", "", document["title"], "", all_but(others) + how_made(document), ""]
    for part in others:
        parts += [f"{', '.join(part['of'])}: {how_made(part)}", ""]
    if document["benchmark"] in CHARTS:
        chart = RESULTS / f"{document['benchmark']}.svg"
        CHARTS[document["benchmark"]](document, chart)
        parts += [f"![{document['title']}](results/{chart.name})", ""]
    parts += [markdown_table(*table_of(document)), ""]
    parts += [f"Without {name}: {reason}.\n" for name, reason in document["missing"].items()]
    return "\n".join(parts)


def parts_of(case):
    """What a case is of, and what was measured: `title: name`."""
    title, _, name = case.rpartition(": ")
    return title, name


# The columns whose share of equal pages is worth a column: the best that addresses do without the library, and ours.
SERVICES_EQUAL = {"glibc, setarch -R, all mergeable": "equal pages, %: setarch -R", "ksmalloc, shared": "equal pages, %: shared"}


def services_table(document):
    """Memory of each service by the way to start it: before merging with glibc, what is left, and how equal its workers are."""
    before = "glibc before merging"

    def place(cell):
        title, name = parts_of(cell["case"])
        if name == "Pss before" and cell["column"].startswith("glibc, all"):
            return title, before
        if name == "Pss after":
            return title, cell["column"]
        if name.startswith("equal pages") and cell["column"] in SERVICES_EQUAL:
            return title, SERVICES_EQUAL[cell["column"]]
        return None

    columns, rows = pivot(document["results"], place)
    ways = [name for name in columns if name != before and name not in SERVICES_EQUAL.values()]
    return markdown_table(["MiB", before, *ways, *SERVICES_EQUAL.values()],
                          [[title, format_number(cells[before]["median"]) if before in cells else "-",
                            *spreads(cells, [*ways, *SERVICES_EQUAL.values()])] for title, cells in rows.items()])


def speed_table(document):
    """Requests a second of each service by layout, and what they are of each other, round by round."""
    def place(cell):
        title, name = parts_of(cell["case"])
        return (title, cell["column"]) if name == "requests a second" else None

    columns, rows = pivot(document["results"], place)
    table = []
    for title, cells in rows.items():
        private, shared = (cells[name]["values"] for name in columns)
        quotients = [after / before for before, after in zip(private, shared)]
        table.append([title, *spreads(cells, columns), f"{median(quotients):.2f} "
                      f"({min(quotients):.2f}..{max(quotients):.2f})"])
    return markdown_table(["requests a second", *columns, "shared / private, round by round"], table)


def sharing_table(document):
    """Memory of each service as it is, as KSM merges it and as --share shares it; what of it lies in the store, and the store."""
    named = {("Pss before", "ksmalloc, shared"): "as it is", ("Pss after", "ksmalloc, shared"): "KSM",
             ("Pss after", "ksmalloc, shared, --share, no KSM"): "--share",
             ("mapped from the store", "ksmalloc, shared, --share, no KSM"): "mapped from the store",
             ("the store", "ksmalloc, shared, --share, no KSM"): "the store"}

    def place(cell):
        title, name = parts_of(cell["case"])
        column = named.get((name, cell["column"]))
        return (title, column) if column else None

    table = []
    for title, cells in pivot(document["results"], place)[1].items():
        both = [cells[name]["median"] for name in ("--share", "KSM") if name in cells]
        table.append([title, *spreads(cells, named.values()), format_number(both[0] / both[1]) if len(both) == 2 else "-"])
    return markdown_table(["MiB", *named.values(), "--share / KSM"], table)


def requests_table(document):
    """What a request of each service takes, in the private layout and in the shared one."""
    def place(cell):
        title, name = parts_of(cell["case"])
        return title, (f"{name}, {cell['unit'].replace('us a', 'µs a')}", cell["column"])

    columns, rows = pivot(document["results"], place)
    names = list(dict.fromkeys(name for name, _ in columns))
    ways = ("ksmalloc, private", "ksmalloc, shared")
    return markdown_table(["private / shared", *names],
                          [[title, *(" / ".join(spreads(cells, [(name, way) for way in ways])) for name in names)]
                           for title, cells in rows.items()])


# What pairs of nearly equal processes differ in.
TWIN_WORDS = {"fork-plain": "nothing: two children of one python", "fork-perturb": "a string that the master keeps between the two forks",
              "differing-folder": "the working folder's name", "differing-argument": "an argument's length",
              "differing-length": "the length of a variable", "differing-environment": "one variable more, and the length of another",
              "differing-arguments": "one argument more", "differing-log": "the log's name",
              **{f"differing-environment-{name.lower()}": f"one variable more, and the length of another: {name}" for name in ("PHP", "Perl", "Ruby", "Lua")},
              **{f"differing-arguments-{name.lower()}": f"one argument more: {name}" for name in ("PHP", "Perl", "Ruby", "Lua")},
              **{f"perturbed-{name}": f"one block at a random moment: {name}" for name in ("python", "lua", "perl", "ruby")},
              "perturbed-c": "one block at a random moment: C"}


def twins_table(document):
    """How equal two processes are that differ in one thing; of perturbed ones in most moments, too, and without one."""
    named = {"equal pages": "equal pages", "equal pages, 10th percentile": "10th percentile",
             "equal pages, not perturbed": "where nothing differs"}

    def place(cell):
        twin, _, name = cell["case"].partition(": ")
        return (twin, named[name]) if cell["column"] == "ksmalloc, shared" and name in named else None

    return markdown_table(["two processes that differ in, %", *named.values()],
                          [[TWIN_WORDS.get(twin, twin), *spreads(cells, named.values())]
                           for twin, cells in pivot(document["results"], place)[1].items()])


def scale_tables(document):
    """What decisions cost as the machine grows, one table for each thing that grows."""
    groups = {}
    for cell in document["results"]:
        groups.setdefault(cell["case"].split(":")[0].split(",")[0], []).append(cell)
    tables = []
    for group, cells_of_group in groups.items():
        columns, rows = pivot(cells_of_group, lambda cell, group=group: (
            (cell["case"].removeprefix(f"{group}: ").removeprefix(f"{group}, "), cell["unit"]), cell["column"]))
        tables.append(markdown_table([group, "", *columns], [[*key, *spreads(cells, columns)] for key, cells in rows.items()]))
    bytes_of_things = document["bytes"]
    tables.append(f"A process with hinted memory takes {bytes_of_things['lane']:.0f} bytes for its lane, and "
                  f"{bytes_of_things['site']:.0f} for each of its sites.")
    return "\n\n".join(tables)


def rules_table(document):
    """What each set of rules needs for a page that is merged."""
    columns, rows = pivot(document["results"], lambda cell: ((*cell["case"].split(": "), cell["unit"]), cell["column"]))
    return markdown_table(["memory", "", "", *columns], [[*key, *spreads(cells, columns)] for key, cells in rows.items()])


# Tables in docs/, between two marks: of which results, and how they are made.
TABLES = {"services": ("services.md", services_table), "services-speed": ("services.md", speed_table), "requests": ("services.md", requests_table), "services-sharing": ("sharing.md", sharing_table),
          "services-twins": ("shared-layout.md", twins_table), "engine-scale": ("merge-engine.md", scale_tables),
          "engine-rules": ("merge-engine.md", rules_table)}


def write_tables():
    """Puts tables of results into pages of docs/, with the command, the date and the commit."""
    for name, (page, table) in TABLES.items():
        results = RESULTS / f"{name}.json"
        if not results.exists():
            continue
        document = json.loads(results.read_text())
        path = ROOT / "docs" / page
        head, begin, rest = path.read_text().partition(f"<!-- From bench/results/{name}.json by bench/all; do not edit. -->\n")
        _, end, tail = rest.partition(f"<!-- {name}: end -->\n")
        if not begin or not end:
            raise ValueError(f"{path} has lost the marks of its table")
        line = f"`{document['command']}`, {document['date'][:10]}, commit {document['commit']}, {how_often(document['rounds'])}."
        path.write_text(f"{head}{begin}\n{table(document)}\n\n{line}\n{end}{tail}")


def load_documents(order):
    found = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    return [found[name] for name in order if name in found]


def machines_of(documents):
    """Each machine that something was measured on, newest first."""
    made = [made for document in documents for made in (document, *document.get("parts", [])) if made["machine"]]
    made.sort(key=lambda made: made["date"], reverse=True)
    return list(dict.fromkeys(f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Linux {machine['kernel']}"
                              for machine in (each["machine"] for each in made)))


def write_results(order):
    """Rewrites RESULTS.md and the charts; order names the benchmarks."""
    documents = load_documents(order)
    if not documents:
        return None
    newest = max(documents, key=lambda document: document["date"])
    goals = [[f"[{document['benchmark']}](#{document['benchmark']})"] + row
             for document in documents for row in goal_rows(document)[1]]
    versions = {}  # Not each benchmark has all of them; the newest one that has a package knows its version.
    for document in sorted(documents, key=lambda document: document["date"]):
        versions.update(document["packages"])
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = ["# Results", "",
             "Written by `bench/all` from the files in [results](results); do not edit. What each",
             "benchmark does and how to read it is in [README.md](README.md).", "",
             f"Measured on: {'; '.join(machines_of(documents))}. Each section says which.", "",
             f"Packages: {packages}.", "",
             "## Goals", "",
             markdown_table(["benchmark", *goal_rows(newest)[0]], goals), ""]
    parts += [section(document) for document in documents]
    write_tables()
    enginecharts.write()
    path = BENCH / "RESULTS.md"
    path.write_text("\n".join(parts).rstrip() + "\n")
    return path
