# SPDX-License-Identifier: BSD-2-Clause
"""The real programs that benchmarks run: python3 (JSON), redis, sqlite3 and lua.

Each is started with an environment, and with words before its command where a launcher is
measured.
"""

import os
import pathlib
import platform
import socket
import subprocess
import tempfile
import time

from lib import memory
from lib.harness import BENCH, PYTHON, BenchError, need

WORKLOADS = BENCH / "workloads"
PROGRAMS = ("python3 json", "redis", "sqlite3", "lua5.4")
POLL_SECONDS = 0.005


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


def run_redis(environment, prefix):
    """Fills a redis server by redis-benchmark, which always runs with its usual allocator."""
    port = free_port()
    client_environment = {key: value for key, value in environment.items() if key != "LD_PRELOAD"}
    server = subprocess.Popen(
        prefix +
        [need("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1",
         "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"],
        env=environment, stdout=subprocess.DEVNULL, cwd="/")
    try:
        wait_for_port(port, server)
        begin = time.monotonic()
        for settings in (["-t", "set,get,lpush,lrange_100", "-d", "200", "-n", "60000",
                          "-r", "50000"],
                         ["-t", "set,get", "-d", "40000", "-n", "8000", "-r", "4000"]):
            subprocess.run([need("redis-benchmark", "redis-tools"), "-h", "127.0.0.1", "-p",
                            str(port), "-q", "-P", "16"] + settings,
                           env=client_environment, stdout=subprocess.DEVNULL, check=True)
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
