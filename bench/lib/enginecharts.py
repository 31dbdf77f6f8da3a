# SPDX-License-Identifier: BSD-2-Clause
"""The pictures and tables of docs/merge-engine.md, from bench/results/engine*.json."""

import json
from xml.sax.saxutils import escape

from lib import plot
from lib.harness import RESULTS, ROOT, format_number, pivot, spreads

DOCUMENT = ROOT / "docs" / "merge-engine.md"
BEGIN = "<!-- From bench/results/engine*.json by bench/all; do not edit. -->\n"
END = "<!-- engine: end -->\n"

# One colour for each column of the table and each workload of the curve, in their order. Dashes
# tell apart who cannot see the colours.
LINES = (("#a0845c", "7 4"), ("#59636e", ""), ("#d9730d", "2 3"), ("#a371d8", "9 3 2 3"), ("#2f81f7", ""),
         ("#2a9d6f", ""), ("#2f81f7", "7 4"), ("#2a9d6f", "7 4"), ("#cf222e", ""), ("#cf222e", "7 4"),
         ("#59636e", "2 3"), ("#d9730d", ""), ("#a371d8", ""), ("#2f81f7", "2 3"), ("#2a9d6f", "2 3"),
         ("#cf222e", "2 3"))
# What the axis of a unit is called in a picture of points.
LABELS = {"MiB x s": "saved MiB x s", "ksmd ms": "CPU time of ksmd, ms", "broken": "broken merges"}
PANEL_WIDTH, PANEL_HEIGHT, GAP, LEGEND = 236, 200, 14, 24
LEFT, TOP, BOTTOM = 46, 30, 40


def workload_of(case):
    return case.split(":")[0]


def columns_of(document):
    """The columns, as they come."""
    return list(dict.fromkeys(cell["column"] for cell in document["results"]))


def cells_of(document, unit):
    """Medians by workload and column."""
    found = {}
    for cell in document["results"]:
        if cell["unit"] == unit:
            found.setdefault(workload_of(cell["case"]), {})[cell["column"]] = cell["median"]
    return found


def mark(x, y, style):
    """A point of a column: what dashes say of a line, its shape says."""
    colour, dashes = style
    if dashes == "2 3":
        return (f'<rect class="mark" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>')
    if dashes == "9 3 2 3":
        return (f'<path class="mark" d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z" fill="{colour}"/>')
    inside = "none" if dashes else colour
    return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{inside}" stroke="{colour}" stroke-width="1.5"/>'


def panel(left, top, title, x_label, lines, x_ticks=None):
    """One small chart: its parts. Lines are pairs of a style and points.

    What differs more than tenfold is drawn in decades, or only the largest could be seen.
    """
    points = [point for _, line in lines for point in line]
    begin, end = left + LEFT, left + PANEL_WIDTH - 8
    low, high = top + PANEL_HEIGHT - BOTTOM, top + TOP
    x_axis = plot.linear_axis(max(x for x, _ in points) or 1, begin, end)
    if x_ticks:
        x_axis = plot.Axis(min(x_ticks), max(x_ticks), begin, end, [(tick, f"{tick:g}") for tick in x_ticks])
    heights = [y for _, y in points]
    far = len(lines) > 1 and x_ticks and min(heights) > 0 and max(heights) > 10 * min(heights)
    y_axis = plot.decade_axis(min(heights), max(heights), low, high) if far else plot.linear_axis(
        max(heights) or 1, low, high)
    parts = [f'<text x="{left + 6}" y="{top + 16}">{escape(title)}</text>']
    for value, label in y_axis.ticks:
        y = y_axis.place(value)
        parts.append(f'<line class="grid" x1="{begin}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{begin - 5}" y="{y + 4:.1f}" text-anchor="end">{label.replace(",", "")}</text>')
    for value, label in x_axis.ticks:
        parts.append(f'<text x="{x_axis.place(value):.1f}" y="{low + 17}" text-anchor="middle">{label}</text>')
    parts.append(f'<text class="note" x="{(begin + end) / 2}" y="{low + 33}" text-anchor="middle">'
                 f'{escape(x_label)}</text>')
    for (colour, dashes), line in lines:
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
                     f'stroke-dasharray="{dashes}" stroke-linejoin="round"/>')
        if x_ticks or len(line) == 1:
            parts += [mark(x_axis.place(x), y_axis.place(y), (colour, dashes)) for x, y in line]
    return parts


def legend(names, top, marks):
    """Names with a piece of their line, or with their mark."""
    parts, x, y = [], 12, top
    for name, (colour, dashes) in names:
        width = 52 + 7.2 * len(name)
        if x + width > 3 * (PANEL_WIDTH + GAP):
            x, y = 12, y + LEGEND
        sample = (f'<line x1="{x}" y1="{y - 4}" x2="{x + 26}" y2="{y - 4}" stroke="{colour}" stroke-width="2.5" '
                  f'stroke-dasharray="{dashes}"/>')
        if marks:
            sample = mark(x + 13, y - 4, (colour, dashes)).replace(' class="mark"', "")
        parts.append(f'{sample}<text x="{x + 32}" y="{y}">{escape(name)}</text>')
        x += width
    return parts, y + 12


def picture(path, title, names, panels):
    """Panels beside each other, three in a row, below one legend."""
    marks = all(len(line) == 1 for _, _, lines, _ in panels for _, line in lines)
    parts, top = legend(names, 52, marks)
    for number, (label, x_label, lines, ticks) in enumerate(panels):
        row, column = divmod(number, 3)
        parts += panel(8 + column * (PANEL_WIDTH + GAP), top + row * PANEL_HEIGHT, label, x_label, lines, ticks)
    rows = (len(panels) + 2) // 3
    plot.write(path, 3 * (PANEL_WIDTH + GAP) + 8, top + rows * PANEL_HEIGHT + 4, title, parts)


def styles(names):
    return dict(zip(names, LINES))


def draw_time(document, path):
    """What is saved over time, by workload."""
    columns = columns_of(document)
    style = styles(columns)
    panels = []
    for workload in dict.fromkeys(key.split(",")[0] for key in document["series"]):
        lines = [(style[name], [[0, 0]] + document["series"][f"{workload}, {name}"])
                 for name in columns if document["series"].get(f"{workload}, {name}")]
        # Where nothing is equal, there is nothing to see.
        if any(mib for _, line in lines for _, mib in line):
            panels.append((f"{workload}: saved MiB", "seconds", lines, None))
    picture(path, "What is saved over time", list(style.items()), panels)


def draw_points(document, path, title, x, y):
    """One unit against another: a panel for each workload that has any of y, and a point for each column. Without panels there is no picture."""
    style = styles(columns_of(document))
    across, up = cells_of(document, x), cells_of(document, y)
    panels = [(f"{workload}: {LABELS[y]}", LABELS[x],
               [(style[name], [[across[workload][name], up[workload][name]]]) for name in cells], None)
              for workload, cells in up.items() if any(cells.values())]
    if panels:
        picture(path, title, list(style.items()), panels)


def draw_cost(document, path):
    """What is saved against the time of ksmd, by workload: up and left is better."""
    draw_points(document, path, "What is saved for the CPU time of ksmd: up and left is better", "ksmd ms", "MiB x s")


def draw_broken(document, path):
    """Merges that a write has broken against what is saved, where something is written to: right and down is better."""
    draw_points(document, path, "Merges that a write has broken, against what is saved: right and down is better", "MiB x s", "broken")


def pages_of(case):
    """The exponent of the number of pages in a case of --lookups."""
    return int(case.split("2^")[1].split()[0])


def draw_lookups(document, path):
    """What a search and a visit take, by the number of pages."""
    style, panels = styles(columns_of(document)), []
    ticks = sorted({pages_of(cell["case"]) for cell in document["results"]})
    for unit in ("ns a search", "ns a visit"):
        for workload in dict.fromkeys(workload_of(cell["case"]) for cell in document["results"]):
            lines = {}
            for cell in document["results"]:
                if cell["unit"] == unit and workload_of(cell["case"]) == workload:
                    lines.setdefault(cell["column"], []).append([pages_of(cell["case"]), cell["median"]])
            panels.append((f"{workload}: {unit}", "2^N pages", [(style[name], line) for name, line in lines.items()],
                           ticks))
    picture(path, "What it takes to look for a page that is equal to none", list(style.items()), panels)


def draw_curve(document, path):
    """What the length of the probation does: one panel a measure, one line a workload."""
    panels, style = [], None
    for unit, label in (("MiB x s", "saved MiB x s"), ("ksmd ms", "ksmd ms"), ("broken", "broken merges")):
        cells = cells_of(document, unit)
        style = style or dict(zip(cells, (LINES[4], LINES[2], LINES[8])))
        lines = [(style[workload], [[int(name.split()[-1]), value] for name, value in columns.items()])
                 for workload, columns in cells.items()]
        panels.append((label, "N visits (probation_scans)", lines, (0, 1, 2, 4, 8)))
    picture(path, "How long a page waits before it is tried", list(style.items()), panels)


def table(document, units):
    """A row a workload and unit, a column each."""
    def place(cell):
        name = cell["case"].split(", ")[-1] if "2^" in cell["case"] else ""
        row = f"{workload_of(cell['case'])}, {name}".rstrip(", "), cell["unit"]
        return (row, cell["column"]) if cell["unit"] in units else None

    columns = columns_of(document)
    lines = ["| memory | " + " | ".join(["", *columns]) + " |", "|---|---|" + "---:|" * len(columns)]
    # What nothing is saved of, or broken, needs no row.
    lines += [f"| {workload} | {unit} | " + " | ".join(spreads(cells, columns)) + " |"
              for (workload, unit), cells in pivot(document["results"], place)[1].items()
              if set(spreads(cells, cells)) != {"0"}]
    return "\n".join(lines)


def origin(document):
    rounds = document["rounds"]
    return (f"`{document['command']}`, {document['date'][:10]}, commit {document['commit']}, "
            f"{rounds} round{'s' if rounds > 1 else ''}, load {document['machine']['load_average_at_start']}.")


def goals(document):
    return "\n".join(f"- {goal['text']}: {format_number(goal['value'])}, wanted "
                     f"{'at least' if goal['at_least'] else 'at most'} {format_number(goal['limit'])}: "
                     f"{'reached' if goal['met'] else 'missed'}"
                     for goal in document["goals"] if goal["value"] is not None)


def write():
    """Draws the pictures and puts the tables between the marks of docs/merge-engine.md."""
    parts = []
    for name, units, pictures in (
            ("engine", ("MiB x s", "ksmd ms", "broken", "until s", "ksmd ms until", "pages a ms"),
             (("time", draw_time), ("cost", draw_cost), ("broken", draw_broken))),
            ("engine-lookups", ("ns a visit", "ns a search", "bytes a page"), (("lookups", draw_lookups),)),
            ("engine-curve", ("MiB x s", "ksmd ms", "broken", "until s", "formula s"), (("curve", draw_curve),))):
        results = RESULTS / f"{name}.json"
        if not results.exists():
            continue
        document = json.loads(results.read_text())
        for which, draw in pictures:
            chart = DOCUMENT.parent / f"merge-engine-{which}.svg"
            # Where there is nothing to draw, a former picture must not stay.
            chart.unlink(missing_ok=True)
            draw(document, chart)
            if not chart.exists():
                continue
            parts.append(f"![{draw.__doc__.splitlines()[0]}]({chart.name})")
        parts += [table(document, units), goals(document), origin(document)]
    if not parts:
        return
    head, begin, rest = DOCUMENT.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} has lost the marks of its tables")
    body = "\n\n".join(part for part in parts if part)
    DOCUMENT.write_text(f"{head}{begin}\n{body}\n\n{end}{tail}")
