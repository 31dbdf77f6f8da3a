# SPDX-License-Identifier: BSD-2-Clause
"""What Python programs do with objects, one kind after another. Usage: python-objects.py NAME TIMES

Without TIMES: python-objects.py memory, which tells its anonymous memory after each of its steps.
"""
import json
import pickle
import random
import re
import sys
import threading


class Point:
    def __init__(self, a, b):
        self.a = a
        self.b = b


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a = a
        self.b = b


def records():
    json.loads(json.dumps([{"id": i, "name": f"user{i}", "v": [i, i * .5]} for i in range(2000)]))


def fib(n=20):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def dictionaries():
    d = {}
    for i in range(5000):
        d["k%d" % i] = i
    for i in range(5000):
        d["k%d" % i] += 1000
    return dict(d.items())


def attributes():
    points = [Point(i, str(i)) for i in range(3000)]
    return sum(p.a for p in points), [Slotted(i, i * 2.5) for i in range(3000)]


def sorting():
    draw = random.Random(1)
    numbers = [draw.random() for _ in range(4000)]
    numbers.sort()
    return sorted(map(str, numbers))


def strings():
    parts = ",".join(str(i) for i in range(6000)).split(",")
    return "".join(reversed(parts))


def nested(depth):
    if depth:
        yield from nested(depth - 1)
    yield depth


def generators():
    for _ in range(40):
        sum(nested(30))
    return sum(x * x for x in range(5000))


def expressions():
    text = "key=%s; other=value-17, " * 200
    re.findall(r"(\w+)=(\S+?)[;,]", text)
    return re.sub(r"\d+", lambda match: match.group() + "x", "a1b22c333" * 300)


def pickles():
    return pickle.loads(pickle.dumps([{"a": i, "b": (i, str(i)), "c": [1.5]} for i in range(2000)]))


def sizes():
    blocks = [b"x" * (500 + i % 2500) for i in range(4000)]
    return blocks, [dict.fromkeys(range(12 + i % 40)) for i in range(800)]


def session(draw, number):
    return {"id": number, "text": "x" * draw.randrange(100), "list": list(range(draw.randrange(12))),
            "bytes": b"y" * draw.randrange(1500 if number % 4 == 0 else 60)}


def service(count=6000, at_once=4000):
    draw = random.Random(7)
    live = {}
    for i in range(count):
        live[draw.randrange(at_once)] = session(draw, i)
    return live


def threads():
    both = [threading.Thread(target=work) for work in (records, pickles)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def anonymous():
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def memory():
    steps = {"start": anonymous()}
    data = [{"id": i, "name": f"user{i}", "v": [i, i * .5], "t": (i, str(i))} for i in range(60000)]
    steps["60,000 records"] = anonymous()
    draw = random.Random(3)
    data = [record for record in data if draw.random() < .5]
    more = ["x" * draw.randrange(300) for i in range(60000)]
    steps["half of them freed, 60,000 strings"] = anonymous()
    del data, more
    steps["all freed"] = anonymous()
    live = service(300000, 20000)
    steps["300,000 sessions, 20,000 at once"] = anonymous()
    live.clear()
    steps["all sessions over"] = anonymous()
    print(json.dumps(steps))


WORK = {"json": records, "fib": fib, "dict": dictionaries, "attributes": attributes, "sort": sorting,
        "strings": strings, "generators": generators, "regex": expressions, "pickle": pickles,
        "500 to 3000 bytes": sizes, "service": service, "two threads": threads}

if __name__ == "__main__":
    if sys.argv[1] == "memory":
        memory()
    elif sys.argv[1] == "names":
        print(json.dumps(list(WORK)))
    else:
        for _ in range(int(sys.argv[2])):
            WORK[sys.argv[1]]()
