# SPDX-License-Identifier: BSD-2-Clause
"""A picture of memory as SVG: a cell for each page, in rows, in the order of addresses."""

from xml.sax.saxutils import escape

from lib import pages, plot

COLUMNS, CELL, GAP, TOP, MARGIN = 120, 3, 28, 84, 12
COLOURS = {pages.EQUAL: ("#2f81f7", "equal: can be merged"), pages.DIFFERS: ("#d9730d", "differs"),
           pages.ALONE: ("#8b949e", "the other worker has none there")}


def strips(letters):
    """A run of equal letters as pieces that do not go over the end of a row: letter, row, column, number."""
    position = 0
    for letter, number in pages.shorten(letters):
        while number:
            row, column = divmod(position, COLUMNS)
            piece = min(number, COLUMNS - column)
            yield letter, row, column, piece
            position += piece
            number -= piece


def panel(letters, title, left):
    """One heap. All cells of a colour are one path, which keeps the file small."""
    paths = {letter: [] for letter in COLOURS}
    for letter, row, column, number in strips(letters):
        paths[letter].append(f"M{left + column * CELL} {TOP + row * CELL}h{number * CELL}v{CELL}"
                             f"h-{number * CELL}z")
    share = 100 * letters.count(pages.EQUAL) / len(letters)
    parts = [f'<text x="{left}" y="{TOP - 10}">{escape(title)}: {share:.1f} % of pages equal</text>']
    return parts + [f'<path fill="{COLOURS[letter][0]}" d="{"".join(path)}"/>'
                    for letter, path in paths.items() if path]


def legend():
    parts, x = [], MARGIN
    for colour, meaning in COLOURS.values():
        parts.append(f'<rect x="{x}" y="42" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="53">{escape(meaning)}</text>')
        x += 44 + 7.2 * len(meaning)
    return parts


def save(path, title, heaps):
    """Draws the heaps side by side; heaps has the letters of each by its name."""
    width = 2 * MARGIN + len(heaps) * (COLUMNS * CELL + GAP) - GAP
    rows = max(-(-len(letters) // COLUMNS) for letters in heaps.values())
    height = TOP + rows * CELL + MARGIN
    parts = legend()
    for number, (name, letters) in enumerate(heaps.items()):
        parts += panel(letters, name, MARGIN + number * (COLUMNS * CELL + GAP))
    plot.write(path, width, height, title, parts)
