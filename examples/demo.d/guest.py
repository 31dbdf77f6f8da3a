# SPDX-License-Identifier: BSD-2-Clause
"""The part of `demo --kernel` that runs in the guest: workers, KSM, and what came of it.

Writes result.json, and on a kernel that counts by site report.txt, into the folder it is given.
The same on both kernels: nothing here asks which one it is.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from lib import ksm, memory  # noqa: E402  (the path must be set first)
from lib.harness import PYTHON, BenchError, main_guard  # noqa: E402
from lib.workers import Group  # noqa: E402
from session import MIB, check_answers, preloaded  # noqa: E402

GROUP = "demo"
SLOT = re.compile(r"^\S+ \S+ \S+ \S+ \S+ +\[anon:ksmalloc:[0-9a-f]{12}\]$")


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--model-mib", type=int, required=True)
    parser.add_argument("--own-mib", type=int, required=True)
    parser.add_argument("--pages", type=int, required=True)
    parser.add_argument("--sleep", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    return parser.parse_args()


def ksmd_seconds(daemon):
    """ksmd's time on the processor, to the nanosecond; ticks would miss most of it."""
    text = pathlib.Path(f"/proc/{daemon}/sched").read_text()
    return float(re.search(r"^se\.sum_exec_runtime\s*:\s*([0-9.]+)", text, re.M)[1]) / 1000


def merged_of_model(pid):
    """Bytes of KSM's pages in the largest slot of a worker, which is where the model lies."""
    largest, merged = 0, 0
    resident, slot = 0, False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Rss:"):
                resident = int(line.split()[1]) * 1024
            elif line.startswith("KSM:") and slot and resident > largest:
                largest, merged = resident, int(line.split()[1]) * 1024
            elif not line[0].isupper():
                slot = bool(SLOT.match(line.rstrip()))
    return merged


def is_merged(options, pids):
    wanted = options.workers * options.model_mib * MIB * 0.95
    # What merges in all is quickly read, and cannot be less than a part of it.
    if sum(memory.merging_pages(pid) for pid in pids) * 4096 < wanted:
        return False
    return sum(merged_of_model(pid) for pid in pids) >= wanted


def measure(options, group):
    pids = group.pids()
    daemon = ksm.daemon_pid()
    before = memory.group_rollup(pids)["Pss"]
    result = {"before": before, "seconds_95": None, "ksmd_95": None}
    cpu = ksmd_seconds(daemon)
    ksm.start(options.pages, options.sleep)
    begin = time.monotonic()
    shown = 0
    while (passed := time.monotonic() - begin) < options.seconds:
        if result["seconds_95"] is None and is_merged(options, pids):
            result["seconds_95"] = passed
            result["ksmd_95"] = ksmd_seconds(daemon) - cpu
            print(f"  95 % of the model are merged after {passed:.1f} s", flush=True)
        if passed >= shown + 5:
            shown += 5
            print(f"  after {shown:2} s  {ksm.read('pages_sharing') * 4096 / MIB:4.0f} MiB saved",
                  flush=True)
        time.sleep(0.05)
    result["ksmd"] = ksmd_seconds(daemon) - cpu
    result["after"] = memory.group_rollup(pids)["Pss"]
    return result


def main():
    options = parse_options()
    worker = pathlib.Path(__file__).parent / "worker.py"
    with Group() as group:
        group.name = GROUP
        group.start_all([[PYTHON, str(worker), str(options.folder), str(options.own_mib), str(number)]
                         for number in range(options.workers)],
                        preloaded(options.build, GROUP) |
                        {"KSMALLOC_ADVISE": "process", "KSMALLOC_NAMES": "1"})
        result = measure(options, group)
        check_answers(group)
        group.check_alive()
        report = subprocess.run([str(options.build / "ksmalloc"), "report", GROUP, "--details", "--top", "4"],
                                capture_output=True, text=True, check=False)
        if report.returncode:
            raise BenchError(f"ksmalloc report ended with {report.returncode}: {report.stderr}")
    (options.folder / "report.txt").write_text(report.stdout)
    (options.folder / "result.json").write_text(json.dumps(result))


main_guard(main)
