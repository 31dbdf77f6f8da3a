# SPDX-License-Identifier: BSD-2-Clause
"""Reading what processes use from /proc. All sizes are bytes."""

import re


def read_fields(path):
    """A file of "Name: N kB" lines as a dictionary of bytes."""
    with open(path, encoding="ascii", errors="replace") as file:
        return {name: int(value) * 1024
                for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", file.read(), re.M)}


def status(pid):
    return read_fields(f"/proc/{pid}/status")


def rollup(pid):
    return read_fields(f"/proc/{pid}/smaps_rollup")


def group_rollup(pids):
    """Sums of smaps_rollup and of the page tables of several processes."""
    total = {}
    for pid in pids:
        fields = rollup(pid)
        fields["PageTables"] = status(pid).get("VmPTE", 0)
        for name, value in fields.items():
            total[name] = total.get(name, 0) + value
    return total


def cpu_ns(pid):
    """The time a process has run, in nanoseconds; finer than the ticks of /proc/PID/stat."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def merging_pages(pid):
    """Pages of a process that KSM has merged, those that it kept included."""
    with open(f"/proc/{pid}/ksm_merging_pages", encoding="ascii") as file:
        return int(file.read())


class PeakSampler:
    """Peak resident memory and page tables of a child that is polled until it ends.

    VmHWM is the kernel's own peak. VmPTE has none; page tables shrink only when address space is
    unmapped, so polling misses little.
    """

    def __init__(self, pid):
        self.pid = pid
        self.resident = 0
        self.page_tables = 0

    def sample(self):
        try:
            fields = status(self.pid)
        except OSError:
            return
        self.resident = max(self.resident, fields.get("VmHWM", 0))
        self.page_tables = max(self.page_tables, fields.get("VmPTE", 0))


def advised_mappings(pid):
    """Rss and Pss of each mapping that madvise marked mergeable, in bytes."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        text = file.read()
    result = []
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M):
        if re.search(r"^VmFlags:.* mg\b", part, re.M):
            fields = {name: int(value) * 1024
                      for name, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB$", part, re.M)}
            result.append(fields)
    return result
