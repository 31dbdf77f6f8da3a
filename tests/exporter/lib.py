# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the exporter share: an exporter, workers, requests byte by byte, and cases that are run by name."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

COMMAND = os.environ["KSMALLOC_COMMAND"]
LIBRARY = os.environ["KSM_LIBRARY"]
SOURCE = os.environ["KSM_SOURCE"]
PATIENCE = 60
# What happens at once, on a machine that has much else to do. A client that is slow is waited for longer, for 30 s.
AT_ONCE = 15
WORKER = """import random, sys
random.seed(7)
model = [random.randbytes(1 << 20) for _ in range(int(sys.argv[1]))]
print("ready", flush=True)
sys.stdin.read()
"""
work = tempfile.mkdtemp(prefix="exporter.", dir=os.environ["KSM_TEST_WORK"])
runtime = tempfile.mkdtemp(prefix="ksm-exporter.", dir="/tmp")  # short enough for sockets
os.environ.update(XDG_RUNTIME_DIR=runtime, XDG_CACHE_HOME=work, LC_ALL="C.UTF-8", TMPDIR=work, HOME=work)
# Others may run the same test at the same time.
GROUP = f"exporter-{os.getpid()}"
started = []


def skip(why):
    print(f"skipped: {why}", file=sys.stderr)
    sys.exit(77)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed (packaging/install-packages test)")


def check(holds, *what):
    if not holds:
        raise AssertionError(" ".join(str(word)[:3000] for word in what))


def await_(question, what, patience=PATIENCE):
    """Asks again until the answer is not false, and returns it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what() if callable(what) else what}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return list(map(int, file.read().split()))


def is_gone(pid):
    """A process that nobody has waited for yet is gone, too."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def resident(pid):
    """KiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1])


class Worker:
    """python3 with megabytes that are equal in all of them, under the library."""

    def __init__(self, mebibytes=4, group=GROUP, command=None, **environment):
        environment = {**os.environ, "LD_PRELOAD": LIBRARY, "KSMALLOC_GROUP": group, **environment}
        # The library takes it for a misspelt option.
        environment.pop("KSMALLOC_COMMAND")
        self.process = subprocess.Popen(command or ["/usr/bin/python3", "-c", WORKER, str(mebibytes)], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        started.append(self)

    def ready(self):
        check(self.process.stdout.readline() == b"ready\n", "a worker does not start")
        return self

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()
        self.process.stdout.close()


def workers(count, *arguments, **more):
    return [worker.ready() for worker in [Worker(*arguments, **more) for _ in range(count)]]


class Exporter:
    """One that listens on a port that the kernel chose, or on a path."""

    def __init__(self, *arguments, listen="127.0.0.1:0", groups=(GROUP,), interval="1", wrapper=(), wait=True):
        chosen = [f"--group={group}" for group in groups]
        self.log = open(tempfile.mktemp(dir=work), "w+b")
        self.process = subprocess.Popen([*wrapper, COMMAND, "exporter", "--listen", listen, "--interval", interval,
                                         *chosen, *arguments], stderr=self.log, stdin=subprocess.DEVNULL)
        started.append(self)
        self.path = listen[5:] if listen.startswith("unix:") else None
        said = await_(lambda: re.search(r"listening on (\S+)", self.said()) or self.process.poll() is not None,
                      self.said)
        check(said is not True, "it has ended:", self.said())
        self.address = said[1].rstrip(",")
        match = re.match(r"http://\[?([^\]]+)\]?:(\d+)/", self.address)
        self.host, self.port = (match[1], int(match[2])) if match else (None, None)
        # The process that was started has two others.
        self.pid = self.process.pid
        self.reader, self.server = children(self.pid)
        if wait:
            await_(lambda: self.get("/api/report.json", **wait if isinstance(wait, dict) else {})[0] == 200,
                   "the first report")
            # Of the snapshot after it.
            await_(lambda: b"ksmalloc_report_timestamp" in self.get("/metrics", **wait if isinstance(wait,
                                                                                                     dict) else {})[2],
                   "metrics of the first report")

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def connect(self, source=None, timeout=20):
        if self.path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(self.path)
            return connection
        return socket.create_connection((self.host, self.port), timeout, source and (source, 0))

    def get(self, path, method="GET", headers=None, source=None, body=None, timeout=20):
        """Status, headers and content of one request on a connection of its own."""
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = self.connect(source, timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def text(self, path, **more):
        status, _, content = self.get(path, **more)
        check(status == 200, path, "has status", status)
        return content.decode()

    def openmetrics(self):
        from prometheus_client.openmetrics.parser import text_string_to_metric_families

        text = self.text("/metrics", headers={"Accept": "application/openmetrics-text"})
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name, **labels):
        """The sum of all samples of this name and these labels."""
        text = self.text("/metrics")
        total = None
        for line in text.splitlines():
            match = re.match(re.escape("ksmalloc_" + name) + r"(?:\{(.*)\})? (\S+)$", line)
            if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
                total = (total or 0) + float(match[2])
        return total

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(AT_ONCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def main(cases):
    """Runs the case that the command line names, or all of them."""
    names = sys.argv[1:] or list(cases)
    try:
        for name in names:
            cases[name]()
    finally:
        for thing in reversed(started):
            thing.end()
        for folder in (work, runtime):
            shutil.rmtree(folder, ignore_errors=True)
