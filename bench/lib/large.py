# SPDX-License-Identifier: BSD-2-Clause
"""What bench/large needs of the programs that print load.h's line, and of pairs in threads."""

from lib.harness import median

RATE = "M/s"
AGAINST_ALONE = "x one thread"
AGAINST_APART = "x processes"
SIZES = [16 << 10 << doubling for doubling in range(7)]  # 16 KiB to 1 MiB.


def output(bench, allocator, program, *arguments):
    return bench.run(allocator, [bench.program(program)] + [str(word) for word in arguments])


def load(bench, allocator, program, *arguments):
    """The pairs of a program's line: "blocks N ns N ..."."""
    words = output(bench, allocator, program, *arguments).split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def add_load(bench, allocator, name, pairs, wall=True):
    """Records times and faults per block. Wall time is left out where a rate says it."""
    if wall:
        bench.add(name, allocator, pairs["ns"])
    bench.add(name, allocator, pairs["cpu_ns"], "processor ns")
    bench.add(name, allocator, pairs["system_ns"], "kernel ns")
    bench.add(name, allocator, pairs["faults"], "faults")


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def count_of(threads):
    return f"{threads} thread{'s' if threads > 1 else ''}"


def pair_name(size, threads):
    return f"malloc and free {size_name(size)}, {count_of(threads)}"


def measure_pairs(bench, allocator, threads):
    """Pairs of each size; with several threads also what that is of one thread's time."""
    most_faults, at_once = 0, 1
    for line in output(bench, allocator, "pairs-threads", threads, SIZES[0],
                       SIZES[-1]).splitlines():
        size, best, alone, pair_ns, apart, faults, share = map(float, line.split())
        name = pair_name(int(size), threads)
        bench.add(name, allocator, best if threads == 1 else pair_ns)
        if threads > 1:
            bench.add(name, allocator, pair_ns / alone, AGAINST_ALONE)
            bench.add(name, allocator, pair_ns / apart, AGAINST_APART)
        most_faults, at_once = max(most_faults, faults), min(at_once, share)
    bench.add(f"malloc and free, {count_of(threads)}: worst size", allocator, most_faults, "faults")
    if threads > 1:
        bench.add(f"malloc and free, {count_of(threads)}: at once", allocator, at_once * 100, "%")


def median_quotient(bench, case, column, reference):
    quotients = bench.quotients(case, column, reference)
    return median(quotients) if quotients else None


def worst_goal(bench, text, value_of, limit):
    """A goal that each size must reach: the value of the worst one is shown."""
    values = [value_of(size) for size in SIZES]
    bench.goal(text, None if None in values else max(values), limit)
