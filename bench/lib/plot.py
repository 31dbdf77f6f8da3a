# SPDX-License-Identifier: BSD-2-Clause
"""Line charts as SVG, written by hand so that drawing needs nothing but Python.

The colours are readable on light and on dark ground; the ground itself follows the reader's
preference. Lines differ by dashes, too, for who cannot tell the colours apart.
"""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 88, 52

# Colour, dashes and width of a line by the first word of its name.
STYLES = {
    "ksmalloc": ("#2f81f7", "", 3.5),
    "glibc": ("#a0845c", "7 4", 2),
    "jemalloc": ("#d9730d", "", 2),
    "mimalloc": ("#2a9d6f", "2 3", 2),
    "tcmalloc": ("#a371d8", "9 3 2 3", 2),
    "stock": ("#a0845c", "7 4", 2),
    "hinted": ("#2f81f7", "", 3.5),
    "settled": ("#2a9d6f", "2 3", 2.5),
    "on": ("#d9730d", "", 2),
}

STYLE_SHEET = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.ground { fill: #ffffff; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.limit { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 3 3; }
.note { fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.ground { fill: #0d1117; }
.grid { stroke: #30363d; }
.limit { stroke: #9198a1; }
.note { fill: #9198a1; }
}
"""


def write(path, width, height, title, parts):
    """A picture with its title, on a ground that suits the reader."""
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            f'aria-label="{escape(title)}">',
            f"<style>{STYLE_SHEET}</style>",
            f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
            f'<text class="title" x="12" y="26">{escape(title)}</text>']
    path.write_text("\n".join([*head, *parts, "</svg>"]) + "\n")


class Axis:
    """Maps values to a stretch of pixels, linearly or by logarithm."""

    def __init__(self, low, high, begin, end, ticks, logarithmic=False):
        self.scale = math.log if logarithmic else float
        self.low, self.high = self.scale(low), self.scale(high)
        self.begin, self.end = begin, end
        self.ticks = ticks  # Pairs of a value and its label.

    def place(self, value):
        share = (self.scale(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def nice_ticks(high, wanted=5):
    """Round numbers from 0 to at least high."""
    rough = high / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return [step * i for i in range(math.ceil(high / step) + 1)]


def linear_axis(high, begin, end):
    ticks = nice_ticks(high)
    return Axis(0, ticks[-1], begin, end, [(tick, f"{tick:g}") for tick in ticks])


def decade_axis(low, high, begin, end):
    """Whole powers of ten around the values."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [(10.0 ** power, f"{10 ** power:,}") for power in range(max(first, 0), last + 1)]
    return Axis(ticks[0][0], ticks[-1][0], begin, end, ticks, logarithmic=True)


class Chart:
    """One chart: create, add lines, save."""

    def __init__(self, title, x_label, y_label):
        self.title, self.x_label, self.y_label = title, x_label, y_label
        self.lines = []
        self.limit = None

    def add_line(self, name, points):
        self.lines.append((name, points))

    def add_limit(self, value, label):
        """A horizontal line that nothing can pass."""
        self.limit = (value, label)

    def legend(self):
        parts, x = [], LEFT
        for name, _ in self.lines:
            colour, dashes, width = STYLES[name.split(",")[0].split()[0]]
            parts.append(f'<line x1="{x}" y1="54" x2="{x + 30}" y2="54" stroke="{colour}" '
                         f'stroke-width="{width}" stroke-dasharray="{dashes}"/>')
            parts.append(f'<text x="{x + 36}" y="58">{escape(name)}</text>')
            x += 56 + 7.4 * len(name)
        return parts

    def grid(self, x_axis, y_axis):
        parts = []
        for value, label in y_axis.ticks:
            y = y_axis.place(value)
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" '
                         f'y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        for value, label in x_axis.ticks:
            x = x_axis.place(value)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" '
                         f'text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" '
                     f'text-anchor="middle">{escape(self.x_label)}</text>')
        parts.append(f'<text x="12" y="{TOP - 12}">{escape(self.y_label)}</text>')
        return parts

    def draw_limit(self, y_axis):
        value, label = self.limit
        y = y_axis.place(value)
        return [f'<line class="limit" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>',
                f'<text class="note" x="{WIDTH - RIGHT}" y="{y - 6:.1f}" '
                f'text-anchor="end">{escape(label)}</text>']

    def draw_lines(self, x_axis, y_axis):
        parts = []
        for name, points in self.lines:
            colour, dashes, width = STYLES[name.split(",")[0].split()[0]]
            path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                         f'stroke-width="{width}" stroke-dasharray="{dashes}" '
                         'stroke-linejoin="round"/>')
        return parts

    def save(self, path, x_axis, y_axis):
        parts = self.legend() + self.grid(x_axis, y_axis)
        if self.limit:
            parts += self.draw_limit(y_axis)
        # The last line is on top, so ksmalloc's is drawn last.
        parts += self.draw_lines(x_axis, y_axis)
        write(path, WIDTH, HEIGHT, self.title, parts)


def x_span():
    return LEFT, WIDTH - RIGHT


def y_span():
    return HEIGHT - BOTTOM, TOP
