# SPDX-License-Identifier: BSD-2-Clause
"""Forks two children from a master that goes on in between; each writes where its objects are. Usage: python-objects.py MODE"""
import os
import sys
try:
    from ctypes import c_uint64
except ImportError:  # Extensions do not find a Python that is in no global scope.
    c_uint64 = None


class Thing:
    def __init__(self, number):
        self.number = number
        self.name = "thing %d" % number


def places():
    """Of objects of all kinds that are made now; and the number of the last change of a dictionary."""
    made = [Thing(i) for i in range(3000)]
    for i in range(3000):  # Garbage that only the collector frees, whenever it comes.
        ring = [i]
        ring.append(ring)
    made += [{"a": i, "b": [i, (i, i * .5)]} for i in range(3000)]
    made += [b"x" * (i % 1500) for i in range(3000)]
    places = [id(o) for o in made]
    if c_uint64:
        places.append(c_uint64.from_address(id(made[3000]) + 24).value)
    places += [id(o.__dict__) for o in made if isinstance(o, Thing)]
    places += [id(o["b"][1]) for o in made if isinstance(o, dict)]
    return places


def main():
    kept = []
    for child in range(2):
        for i in range(child * 101):
            kept.append({"number": i, "text": "x" * i, "pair": (i, i * .25), "list": [i]})
            kept.append([i] * (i % 7))
        garbage = [[(k,) * n, {"k": k}, [k], k * .5] for k in range(20 + 30 * child) for n in range(1, 9)]
        del garbage
        pid = os.fork()
        if pid == 0:
            # A child that does nothing but end is not to run its master's finalizers: one that opens a file is.
            with open(sys.executable or "/bin/sh", "rb"):
                pass
            print(hash(tuple(places())), flush=True)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit("a child failed")


main()
