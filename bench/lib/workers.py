# SPDX-License-Identifier: BSD-2-Clause
"""A group of worker processes that load, say "ready" and wait until their input is closed."""

import subprocess
import time

from lib.harness import BenchError


class Group:
    """Use as a context manager: the workers end with it. Only processes started here are ended."""

    def __init__(self, errors=None):
        """errors is a file for what the workers say on standard error; without it they inherit it."""
        self.workers = []
        self.errors = open(errors, "w+", encoding="utf-8", errors="replace") if errors else None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for worker in self.workers:
            worker.stdin.close()
        for worker in self.workers:
            try:
                worker.wait(timeout=10)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            worker.stdout.close()
        if self.errors:
            self.errors.close()

    def start(self, command, environment):
        self.workers.append(subprocess.Popen(command, env=environment, text=True,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=self.errors))

    def last_words(self):
        if not self.errors:
            return ""
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        return ": " + " | ".join(lines[-3:]) if lines else ""

    def start_all(self, commands, environment, apart_seconds=0.0):
        """Starts workers some time apart, as in real life: clocks and seeds differ then."""
        for index, command in enumerate(commands):
            if index:
                time.sleep(apart_seconds)
            self.start(command, environment)
        self.wait_ready()

    def wait_ready(self):
        for worker in self.workers:
            if worker.stdout.readline().strip() != "ready":
                raise BenchError(f"worker {worker.pid} ended with {worker.poll()} while it loaded"
                                 + self.last_words())

    def pids(self):
        return [worker.pid for worker in self.workers]

    def check_alive(self):
        """A worker that died would look like memory saved."""
        for worker in self.workers:
            if worker.poll() is not None:
                raise BenchError(f"worker {worker.pid} died with {worker.returncode}"
                                 + self.last_words())
