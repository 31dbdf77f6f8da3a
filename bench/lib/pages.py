# SPDX-License-Identifier: BSD-2-Clause
"""Which pages of two processes are equal, one by one, in the order of addresses.

`ksmalloc diff` tells why pages differ; this only tells where, for pictures.
"""

import pathlib
import re

SIZE = 4096
PRESENT = 1 << 63
SWAPPED = 1 << 62
EQUAL, DIFFERS, ALONE = "=", "x", "."


def mappings(pid):
    """First and last address of each mapping of private memory that is written to and belongs to no file."""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw.p \S+ 00:00 0 *(.*)$", line)
        if match and not match[3].startswith("[stack"):
            found.append((int(match[1], 16), int(match[2], 16)))
    return found


def contents(pid):
    """The content of each page that is there, by its address."""
    found = {}
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end in mappings(pid):
            pagemap.seek(begin // SIZE * 8)
            entries = pagemap.read((end - begin) // SIZE * 8)
            for number in range(len(entries) // 8):
                entry = int.from_bytes(entries[8 * number:8 * number + 8], "little")
                if entry & (PRESENT | SWAPPED):
                    memory.seek(begin + number * SIZE)
                    found[begin + number * SIZE] = memory.read(SIZE)
    return found


def compare(first, second):
    """A letter for each page of the second process: equal to the first one's at that address, or not, or there is none."""
    ours, theirs = contents(first), contents(second)
    return "".join(ALONE if address not in ours else EQUAL if ours[address] == page else DIFFERS
                   for address, page in sorted(theirs.items()))


def shorten(letters):
    """Runs of equal letters as pairs of a letter and a number, which JSON keeps short."""
    return [[run[2], len(run[1])] for run in re.finditer(r"((.)\2*)", letters)]


def lengthen(runs):
    return "".join(letter * number for letter, number in runs)
