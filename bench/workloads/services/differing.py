# SPDX-License-Identifier: BSD-2-Clause
"""differing.py [ARGUMENT...]: a worker that writes a log of its own, and loads the same as its siblings."""

import os
import sys


def main():
    name = os.environ.get("SERVICE_LOG")
    import logging
    if name:
        logging.basicConfig(filename=name, level=logging.INFO)
    logging.getLogger("worker").info("starting in %s with %s", os.getcwd(), sys.argv[1:])
    import asyncio, decimal, json, sqlite3  # noqa: E401,F401
    kept = [{"id": number, "name": f"user{number}"} for number in range(100000)]
    print("ready", flush=True)
    sys.stdin.readline()
    return kept


main()
