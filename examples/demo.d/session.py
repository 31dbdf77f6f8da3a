# SPDX-License-Identifier: BSD-2-Clause
"""The part of the demo that starts workers and measures; examples/demo prepares and cleans up."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from lib import ksm, memory  # noqa: E402  (the path must be set first)
from lib.harness import PYTHON, BenchError, main_guard  # noqa: E402
from lib.workers import Group  # noqa: E402
from model import make  # noqa: E402

MIB = 1 << 20
PAGES_TO_SCAN, SLEEP_MILLISECS = 5000, 20
MERGE_LIMIT_SECONDS = 30
SHARE_LIMIT_SECONDS = 150
IDLE_PASSES = 4  # Of each worker, after which nothing more is to be gained.
ENOUGH = 0.8  # Of the weights that could be saved; less means that something does not work.


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--merging", choices=["start", "watch", "share"], required=True)
    parser.add_argument("--reason", default="")
    return parser.parse_args()


def step(text):
    print(f"\n== {text}", flush=True)


def environment():
    """Without anything of ours that the caller has set."""
    return {key: value for key, value in os.environ.items()
            if key != "LD_PRELOAD" and not key.startswith("KSMALLOC_")}


def preloaded(build, group):
    """The environment of a worker that is started by itself."""
    return environment() | {"LD_PRELOAD": str(build / "libksmalloc.so"), "KSMALLOC_GROUP": group}


def command(options, group, folder):
    """What a worker is started by: by itself, or by the command, which sees to all that sharing needs."""
    worker = [PYTHON, str(pathlib.Path(__file__).parent / "worker.py"), folder]
    if options.merging != "share":
        return worker
    return [*run(options, group, folder), "--profile=python", "--share", "--", *worker]


def run(options, group, folder):
    """The group's seed, and with it the table of its store, are in a folder that goes with the demo."""
    return [str(options.build / "ksmalloc"), "run", "--quiet", "--layout=shared", f"--group={group.name}",
            f"--seed-file={folder}/seed"]


def tool(build, *arguments):
    """Shows a command of the tool as the user would type it, and what it prints."""
    print(f"$ ksmalloc {' '.join(arguments)}", flush=True)
    done = subprocess.run([str(build / "ksmalloc"), *arguments], check=False)
    if done.returncode:
        raise BenchError(f"ksmalloc {arguments[0]} ended with {done.returncode}")


def check_answers(group):
    """All workers must still give the same answer: merged memory is the program's own."""
    answers = set()
    for worker in group.workers:
        worker.stdin.write("word 4711\n")
        worker.stdin.flush()
        answers.add(worker.stdout.readline().strip())
    if len(answers) != 1 or "" in answers:
        raise BenchError(f"the workers disagree: {sorted(answers)}")


def wait_for_merging(pids, before, possible, watch):
    """Shows progress until the saving is complete or does not grow any more."""
    saved, idle = 0, 0
    while watch.sample()["seconds"] < MERGE_LIMIT_SECONDS and idle < 4:
        time.sleep(1)
        now = before - memory.group_rollup(pids)["Pss"]
        # Nothing merges in the first seconds: KSM wants to see a page unchanged twice.
        idle = idle + 1 if saved > 0.1 * possible and now < saved + MIB else 0
        saved = now
        seconds = watch.points[-1]["seconds"] + 1
        print(f"  after {seconds:2.0f} s  {max(saved, 0) / MIB:5.0f} MiB saved", flush=True)
    return saved


def check_saved(saved, possible):
    if saved < ENOUGH * possible:
        raise BenchError(f"only {saved / MIB:.0f} MiB of {possible / MIB:.0f} MiB were saved; "
                         "`ksmalloc doctor` tells what is wrong")


def merge(options, group, possible):
    pids = group.pids()
    before = memory.group_rollup(pids)
    watch = ksm.Watch(pids)
    if options.merging == "start":
        step(f"KSM runs ({PAGES_TO_SCAN} pages each {SLEEP_MILLISECS} ms)")
        ksm.start(PAGES_TO_SCAN, SLEEP_MILLISECS)
    else:
        step("KSM runs already, with the settings of this machine")
    saved = wait_for_merging(pids, before["Pss"], possible, watch)
    cpu_seconds = watch.sample()["ksmd_seconds"]
    check_answers(group)
    step("What was saved, and where")
    tool(options.build, "report", group.name)
    after = memory.group_rollup(pids)
    step("Memory of all workers (Pss)")
    print(f"before merging {before['Pss'] / MIB:6.0f} MiB\n"
          f"after merging  {after['Pss'] / MIB:6.0f} MiB\n"
          f"saved          {saved / MIB:6.0f} MiB; ksmd worked {cpu_seconds:.1f} s for it")
    check_saved(saved, possible)


def figures_of(options, group):
    """What a report tells of the group's sharing: bytes by name, and how many passes its workers have made."""
    done = subprocess.run([str(options.build / "ksmalloc"), "report", group.name, "--json", "--no-symbols"],
                          check=True, stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    figures = {name: report["totals"].get(name, 0) for name in ("used", "shared", "store")}
    figures["passes"] = sum(store["passes"] for store in report["stores"])
    figures["saved"] = max(figures["shared"] - figures["store"], 0)
    return figures


def wait_for_sharing(options, group, possible):
    """The workers share between two requests: they are asked a word each second."""
    begin, best, passes = time.monotonic(), 0, 0
    while True:
        check_answers(group)
        figures = figures_of(options, group)
        seconds = time.monotonic() - begin
        print(f"  after {seconds:2.0f} s  {figures['saved'] / MIB:5.0f} MiB saved", flush=True)
        if figures["saved"] > best + MIB:
            best, passes = figures["saved"], figures["passes"]
        if figures["saved"] > possible or seconds > SHARE_LIMIT_SECONDS or \
                figures["passes"] > passes + IDLE_PASSES * len(group.workers):
            return figures
        time.sleep(1)


def share(options, group, possible):
    step(f"The workers map what they have in common from one store ({options.reason})")
    figures = wait_for_sharing(options, group, possible)
    saved = figures["saved"]
    check_answers(group)
    step("What is shared, and where")
    tool(options.build, "report", group.name, "--top", "3")
    step("Memory of all workers and the store")
    print(f"each its own copy {(figures['used'] + saved) / MIB:6.0f} MiB\n"
          f"with the store    {figures['used'] / MIB:6.0f} MiB\n"
          f"saved             {saved / MIB:6.0f} MiB, without KSM and without root")
    check_saved(saved, possible)


def show(options):
    count, layers = (4, 16) if options.quick else (8, 64)
    with tempfile.TemporaryDirectory(prefix="ksmalloc-demo-") as folder, Group() as group:
        make(folder, layers)
        group.name = f"demo-{options.merging}-{os.getpid()}"
        step(f"{count} python3 workers load the same model of {layers} MiB, each for itself")
        if options.merging == "share":
            subprocess.run([*run(options, group, folder), "--renew-seed", "--", "true"], check=True)
        begin = time.monotonic()
        group.start_all([command(options, group, folder)] * count,
                        environment() if options.merging == "share" else preloaded(options.build, group.name))
        print(f"ready after {time.monotonic() - begin:.1f} s")
        check_answers(group)
        if options.merging == "share":
            share(options, group, (count - 1) * layers * MIB)
        else:
            merge(options, group, (count - 1) * layers * MIB)
        group.check_alive()


def main():
    sys.argv[0] = "demo"  # Which is what the user has called.
    options = parse_options()
    if options.merging == "start":
        ksm.write("run", 0)  # So that "before" is before, and what is shared is not merged.
        show(argparse.Namespace(**vars(options) | {"merging": "share", "reason": "which needs neither KSM nor root"}))
    show(options)
    print("\nThe workers have ended" +
          (", and KSM is as it was." if options.merging == "start" else "."), flush=True)


if __name__ == "__main__":
    main_guard(main)
