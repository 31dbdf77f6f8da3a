# SPDX-License-Identifier: BSD-2-Clause
"""Commands in guests that run the stock and the patched kernel (kernel/README.md)."""

import concurrent.futures
import subprocess

from lib.harness import ROOT, BenchError

RUNNING = set()


def build(*words):
    """Builds a kernel or tests, if they are not in the cache, and returns where they are."""
    command = [str(ROOT / "kernel" / "scripts" / "build"), *words, "--quiet"]
    where = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not where:
        raise BenchError(f"kernel/scripts/build {' '.join(words)} failed: call it to see why")
    return where


def run(what, words, command, seconds=900):
    """Runs a command in a guest and returns its output.

    The words are kernel/run-uml or kernel/run-qemu and its options, and `what` is how a message
    calls the measurement.
    """
    boot = [str(ROOT / "kernel" / words[0]), "--quiet", "--timeout", str(seconds), *words[1:]]
    with subprocess.Popen(boot + ["--"] + command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as guest:
        RUNNING.add(guest)
        try:
            output, errors = guest.communicate()
        except BaseException:
            guest.terminate()  # It ends the guest, and puts the machine's settings back.
            raise
        finally:
            RUNNING.discard(guest)
    if guest.returncode:
        said = (errors.strip() or output.strip()).splitlines()
        raise BenchError(f"{what} ended with {guest.returncode}: {said[-1] if said else 'without a word'}")
    return output


def run_all(calls, jobs):
    """Yields what each call returns, in their order, of which so many are under way at a time.

    If one fails, or this is interrupted, the others' guests are ended.
    """
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(call) for call in calls]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for guest in list(RUNNING):
                guest.terminate()
            raise
