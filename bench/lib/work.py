# SPDX-License-Identifier: BSD-2-Clause
"""What processes have done, as the kernel counts it: page faults, waits, processor time and system calls."""

import contextlib
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from lib.harness import BenchError, need

FAULTS, WAITS, TIME = "page faults", "waits", "processor time"
ATTACH_SECONDS = 30


def of_tasks(pid):
    """How often a process's threads have waited, and how long they have run, in microseconds."""
    waits, nanoseconds = 0, 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # Threads end.
            waits += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return waits, nanoseconds / 1000


def of_process(pid):
    """Faults are the whole process's, threads that have ended included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    waits, microseconds = of_tasks(pid)
    return {FAULTS: int(fields[7]), WAITS: waits, TIME: microseconds}


def done_by(pids):
    """The sums of what the processes have done until now."""
    total = {FAULTS: 0, WAITS: 0, TIME: 0}
    for pid in pids:
        for name, value in of_process(pid).items():
            total[name] += value
    return total


def tracers(pids):
    """Whom each thread of the processes is traced by."""
    found = []
    for task in (task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()):
        with contextlib.suppress(OSError):  # Threads end.
            found.append(int(re.search(r"^TracerPid:\s+(\d+)", (task / "status").read_text(), re.M)[1]))
    return found


@contextlib.contextmanager
def traced(pids):
    """Counts system calls while it lasts; the list that it yields has them by name afterwards."""
    calls = {}
    with tempfile.NamedTemporaryFile("r") as log:
        words = [need("strace", "strace"), "-f", "-c", "-U", "calls,name", "-o", log.name]
        words += [word for pid in pids for word in ("-p", str(pid))]
        strace = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + ATTACH_SECONDS
            while set(tracers(pids)) != {strace.pid}:
                if strace.poll() is not None or time.monotonic() > end:
                    raise BenchError("strace does not come to all threads")
                time.sleep(0.05)
            yield calls
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait()
        for count, name in re.findall(r"^\s*(\d+)\s+(\w+)$", log.read(), re.M):
            if name != "total":
                calls[name] = int(count)
    if not calls:
        raise BenchError("strace has counted nothing")
