# SPDX-License-Identifier: BSD-2-Clause
"""differing.py [ARGUMENT...]: a worker that writes a log of its own, and loads the same as its siblings.

SERVICE_KEEP says what it keeps of its own before it loads: pid, time, temporary, random, or objects, of which the
one with --more has some more.
"""

import os
import sys


def own(kind):
    """What no other worker has."""
    if kind == "pid":
        return {str(os.getpid()): os.getpid()}
    if kind == "time":
        import time
        return [time.strftime("%c"), time.time()]
    if kind == "temporary":
        import tempfile
        return tempfile.NamedTemporaryFile()
    if kind == "random":
        import random
        return [random.random() for _ in range(1000)], os.urandom(100)
    if kind == "objects":
        return [{} for _ in range(65)] if "--more" in sys.argv else None
    return None


def main():
    mine = own(os.environ.get("SERVICE_KEEP"))
    name = os.environ.get("SERVICE_LOG")
    import logging
    if name:
        logging.basicConfig(filename=name, level=logging.INFO)
    logging.getLogger("worker").info("starting in %s with %s", os.getcwd(), sys.argv[1:])
    import asyncio, decimal, json, sqlite3  # noqa: E401,F401
    kept = [{"id": number, "name": f"user{number}"} for number in range(100000)]
    print("ready", flush=True)
    sys.stdin.readline()
    return kept, mine


main()
