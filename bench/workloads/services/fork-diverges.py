# SPDX-License-Identifier: BSD-2-Clause
"""fork-diverges.py plain|perturb|single: two children of one process do the same work after fork().

perturb: the parent keeps one string more between the two forks, as masters do that keep a record of
each worker. single: no fork, one of two processes that are started one by one.
"""

import os
import sys


def load():
    """What a worker imports and loads; it returns what it must keep."""
    import asyncio, decimal, json, logging  # noqa: E401,F401  After the fork: that is the point.
    return [{"id": number, "name": f"user{number}"} for number in range(100000)]


def wait(kept):
    print("ready", flush=True)
    sys.stdin.readline()
    return kept


def main():
    if sys.argv[1] == "single":
        wait(load())
        return
    kept, children = [], []
    for number in range(2):
        if sys.argv[1] == "perturb":
            kept.append("worker-%d-%s" % (number, "x" * (50 * number)))
        child = os.fork()
        if child == 0:
            wait(load())
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


main()
