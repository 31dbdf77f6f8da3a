# SPDX-License-Identifier: BSD-2-Clause
"""The real programs that benchmarks run: python3 (JSON), redis, sqlite3 and lua.

Each is started with an environment, and with words before its command where a launcher is
measured.
"""

import os
import pathlib
import platform
import select
import socket
import subprocess
import tempfile
import time

from lib import memory
from lib.harness import BENCH, PYTHON, BenchError, need

WORKLOADS = BENCH / "workloads"
PROGRAMS = ("python3 json", "redis", "sqlite3", "lua5.4")
POLL_SECONDS = 0.005
SETTLE_SECONDS = 0.3
REST_SECONDS = 1.0
DELETE_ALL = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end"
RESTING = b"at rest\n"  # What a workload prints when it has freed all it loaded.


class Measured:
    """What one run of a program took."""

    def __init__(self, seconds, cpu_seconds, bytes_used, output):
        self.seconds = seconds
        self.cpu_seconds = cpu_seconds
        self.bytes_used = bytes_used
        self.output = output


def run_program(command, environment, input_file=None):
    """Runs a program to its end; its memory is polled, its times come from the kernel."""
    with tempfile.TemporaryFile("w+") as output, open(input_file or os.devnull, "rb") as stdin:
        begin = time.monotonic()
        child = subprocess.Popen(command, env=environment, stdin=stdin, stdout=output)
        sampler = memory.PeakSampler(child.pid)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            sampler.sample()
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise BenchError(f"{command[0]} ended with {child.returncode}")
        output.seek(0)
        return Measured(seconds, usage.ru_utime + usage.ru_stime,
                        sampler.resident + sampler.page_tables, output.read())


def wait_until_resting(child, sampler):
    """Follows a child until it says that it rests, or ends."""
    seen = b""
    while not seen.endswith(RESTING):
        if select.select([child.stdout], [], [], POLL_SECONDS)[0]:
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                raise BenchError(f"{child.args[0]} ended before it came to rest")
            seen += part
        sampler.sample()


def rest_program(command, environment, feed=b""):
    """Peak, and what remains when a program freed all and slept a second, page tables included."""
    child = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        child.stdin.write(feed)
        child.stdin.flush()
        sampler = memory.PeakSampler(child.pid)
        wait_until_resting(child, sampler)
        time.sleep(REST_SECONDS)
        fields = memory.status(child.pid)
        return sampler.resident + sampler.page_tables, fields["VmRSS"] + fields["VmPTE"]
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait()


def rest_redis(environment):
    """The same of a redis server that was filled, and all of whose keys were then deleted.

    FLUSHALL would not do: redis tells jemalloc, and no other allocator, to give all back then.
    """
    port, server = start_redis(environment, [])
    try:
        load_redis(port, environment)
        sampler = memory.PeakSampler(server.pid)
        sampler.sample()
        subprocess.run([need("redis-cli", "redis-tools"), "-h", "127.0.0.1", "-p", str(port),
                        "eval", DELETE_ALL, "0"], env=without_preload(environment),
                       stdout=subprocess.DEVNULL, check=True)
        time.sleep(REST_SECONDS)
        fields = memory.status(server.pid)
        return sampler.resident + sampler.page_tables, fields["VmRSS"] + fields["VmPTE"]
    finally:
        server.terminate()
        server.wait()


def sleeping_bytes(environment):
    """Anonymous memory and page tables of a `sleep` that has come to rest."""
    child = subprocess.Popen(["sleep", "60"], env=environment)
    try:
        time.sleep(SETTLE_SECONDS)
        fields = memory.rollup(child.pid)
        return fields["Anonymous"], memory.status(child.pid)["VmPTE"]
    finally:
        child.kill()
        child.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, server):
    for _ in range(500):
        if server.poll() is not None:
            raise BenchError(f"redis-server ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise BenchError("redis-server does not listen")


def start_redis(environment, prefix):
    """A server that listens, and its port."""
    port = free_port()
    server = subprocess.Popen(
        prefix +
        [need("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1",
         "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"],
        env=environment, stdout=subprocess.DEVNULL, cwd="/")
    try:
        wait_for_port(port, server)
    except BenchError:
        server.kill()
        server.wait()
        raise
    return port, server


def without_preload(environment):
    return {key: value for key, value in environment.items() if key != "LD_PRELOAD"}


def load_redis(port, environment):
    """Fills a server by redis-benchmark, which always runs with its usual allocator."""
    for settings in (["-t", "set,get,lpush,lrange_100", "-d", "200", "-n", "60000", "-r", "50000"],
                     ["-t", "set,get", "-d", "40000", "-n", "8000", "-r", "4000"]):
        subprocess.run([need("redis-benchmark", "redis-tools"), "-h", "127.0.0.1", "-p",
                        str(port), "-q", "-P", "16"] + settings,
                       env=without_preload(environment), stdout=subprocess.DEVNULL, check=True)


def run_redis(environment, prefix):
    port, server = start_redis(environment, prefix)
    try:
        begin = time.monotonic()
        load_redis(port, environment)
        seconds = time.monotonic() - begin
        fields = memory.status(server.pid)
        cpu_seconds = memory.cpu_ns(server.pid) / 1e9
        return Measured(seconds, cpu_seconds, fields["VmRSS"] + fields["VmPTE"], "")
    finally:
        server.terminate()
        server.wait()


def without_its_own_allocator(environment):
    """Debian's redis links jemalloc, so glibc's malloc must be put in front of it explicitly."""
    libc = pathlib.Path("/lib", f"{platform.machine()}-linux-gnu", "libc.so.6")
    return {**environment, "LD_PRELOAD": str(libc)}


def run(program, environment, prefix=()):
    """Runs one of PROGRAMS and returns what was measured."""
    prefix = list(prefix)
    if program == "python3 json":
        return run_program(prefix + [PYTHON, str(WORKLOADS / "json-load.py")], environment)
    if program == "sqlite3":
        return run_program(prefix + [need("sqlite3", "sqlite3"), ":memory:"], environment,
                           WORKLOADS / "sqlite.sql")
    if program == "lua5.4":
        return run_program(prefix + [need("lua5.4", "lua5.4"), str(WORKLOADS / "tables.lua")],
                           environment)
    return run_redis(environment, prefix)


def run_to_rest(program, environment):
    """Runs one of PROGRAMS, lets it free its data, and returns peak and what remains, in bytes."""
    if program == "python3 json":
        return rest_program([PYTHON, str(WORKLOADS / "json-rest.py")], environment)
    if program == "sqlite3":
        feed = (WORKLOADS / "sqlite.sql").read_bytes() + (WORKLOADS / "sqlite-rest.sql").read_bytes()
        return rest_program([need("sqlite3", "sqlite3"), ":memory:"], environment, feed)
    if program == "lua5.4":
        return rest_program([need("lua5.4", "lua5.4"), str(WORKLOADS / "tables-rest.lua")],
                            environment)
    return rest_redis(environment)
