# SPDX-License-Identifier: BSD-2-Clause
"""Trees of processes: finding all of a service, and ending them all."""

import ctypes
import os
import pathlib
import signal
import time

from lib.harness import BenchError

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Processes whose parent has ended become ours, not init's: none gets lost."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise BenchError("prctl(PR_SET_CHILD_SUBREAPER) failed")


def parents():
    """The parent of each process that lives; those that only wait for their parent do not count."""
    result = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                result[int(entry.name)] = int(fields[1])
    return result


def tree(roots):
    """The processes of roots that live, and all that descend from them, parents first."""
    known = parents()
    children = {}
    for pid, parent in sorted(known.items()):
        children.setdefault(parent, []).append(pid)
    found = [pid for pid in roots if pid in known]
    for pid in found:
        found += [child for child in children.get(pid, []) if child not in found]
    return found


def reap():
    """Takes leave of what has ended and was adopted."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def wait_gone(pids, seconds):
    """Waits until none of pids lives; returns those that do."""
    end = time.monotonic() + seconds
    while True:
        reap()
        known = parents()
        left = [pid for pid in pids if pid in known]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def kill(pids, number=signal.SIGKILL):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
