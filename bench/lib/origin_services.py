# SPDX-License-Identifier: BSD-2-Clause
"""Services of Debian's that bench/origins asks whose their memory is: a gunicorn with a table in each worker, and a redis."""

import contextlib
import pathlib
import subprocess
import tempfile
import time

from lib.harness import BenchError

APP = """import json
TABLE = json.loads(json.dumps([{"id": i, "name": "n%d" % i, "tags": ["a%d" % (i % 7)]} for i in range(500000)]))
print("ready", flush=True)


def app(environ, start_response):
    start_response("200 OK", [])
    return [TABLE[7]["name"].encode()]
"""
WORKERS = 2
KEYS = 1000000


@contextlib.contextmanager
def running(command, environment, log, until):
    """A service; until(process) is asked until it is true, at most a minute."""
    with open(log, "w", encoding="utf-8") as output, subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            deadline = time.monotonic() + 60
            while not until(process):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(f"{command[-1]} does not start: {pathlib.Path(log).read_text()[-300:]}")
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()


def children_of(pid):
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


@contextlib.contextmanager
def gunicorn(before, environment):
    """The processes of a gunicorn whose workers have loaded their table."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        pathlib.Path(folder, "service.py").write_text(APP)
        command = [*before, "/usr/bin/gunicorn", "--chdir", folder, "--workers", str(WORKERS), "--bind",
                   f"unix:{folder}/socket", "service:app"]
        with running(command, environment, log, lambda process: log.read_text().count("ready") == WORKERS) as process:
            yield [process.pid, *children_of(process.pid)]


@contextlib.contextmanager
def redis(before, environment):
    """The process of a redis with a million keys."""
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/socket"
        command = [*before, "/usr/bin/redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        with running(command, environment, f"{folder}/log", lambda process: pathlib.Path(socket).exists()) as process:
            keys = "".join(f"SET key:{i} value-{i}-{'x' * (60 + i % 40)}\n" for i in range(KEYS))
            done = subprocess.run(["redis-cli", "-s", socket, "--pipe"], input=keys, capture_output=True, text=True,
                                  check=False)
            if f"replies: {KEYS}" not in done.stdout:
                raise BenchError(f"redis-cli: {done.stdout[-200:]}{done.stderr[-200:]}")
            yield [process.pid]


# A name, and how it is started.
SERVICES = (("gunicorn, 2 workers with a table each", gunicorn), ("redis, a million keys", redis))
