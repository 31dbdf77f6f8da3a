#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs in a guest: what `ksmalloc report` and `doctor` say of the kernel's counters by site.

The sums must be the kernel's own, to the page, with workers that merge, write again, free and fork.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ["KSM_BUILD"])
HERE = pathlib.Path(__file__).parent
KSM = pathlib.Path("/sys/kernel/mm/ksm")
PAGE = 4096
BLOCKS = 8 << 20
STOCK = sys.argv[1:] == ["stock"]
failures = []


def check(what, holds, *details):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}", *details, file=sys.stderr)


def kernel(name):
    return int((KSM / name).read_text())


def write(name, value):
    (KSM / name).write_text(f"{value}\n")


def scan(times=4):
    """So many full scans, and then KSM stands still."""
    goal = kernel("full_scans") + times
    write("run", 1)
    for _ in range(600):
        if kernel("full_scans") >= goal:
            break
        time.sleep(0.05)
    else:
        check("KSM makes full scans", False)
    write("run", 0)


class Worker:
    def __init__(self, number, **settings):
        environment = os.environ | settings | {
            "LD_PRELOAD": str(BUILD / "libksmalloc.so"), "KSMALLOC_GROUP": "test",
            "KSMALLOC_STATS_DIR": "/tmp"}
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(HERE / "report-worker.py"), str(number)], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        return self.process.stdout.readline().strip()

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def tool(*arguments):
    done = subprocess.run([str(BUILD / "ksmalloc"), *arguments], capture_output=True, text=True,
                          check=False)
    check(f"{arguments[0]} says nothing on standard error", not done.stderr, done.stderr)
    return done.stdout


def report(what):
    """A report whose sums are checked, and the site of the equal blocks."""
    result = json.loads(tool("report", "--json", "--why", "test"))
    totals = result["totals"]
    check(f"{what}: the source is named", totals["source"] == "exact counters of the kernel", totals)
    saved = (totals["saved_in_sites"] + totals.get("saved_freed", 0) + totals["saved_outside"] +
             totals.get("saved_in_nursery", 0) + totals.get("stale_saved", 0))
    merged = (totals["merged_in_sites"] + totals["merged_outside"] +
              totals.get("merged_in_nursery", 0) + totals.get("stale_merged", 0))
    check(f"{what}: sites and the rest add up to pages_sharing",
          saved == kernel("pages_sharing") * PAGE == totals.get("saved_of_processes", 0),
          saved, kernel("pages_sharing") * PAGE, totals)
    check(f"{what}: merged pages add up to those of the processes",
          merged == totals["merging_of_processes"], merged, totals)
    check(f"{what}: no other process has a part", "other_saved" not in totals, totals)
    check(f"{what}: rows add up to the total",
          sum(site["saved"] for site in result["sites"]) == totals["saved_in_sites"])
    site = next((site for site in result["sites"] if site["resident"] >= BLOCKS or
                 site["live"] >= BLOCKS), None) or result["sites"][0]
    return totals, site


def diff(workers):
    """The rows and notes of `ksmalloc diff` of two workers."""
    result = json.loads(tool("diff", "--json", *(str(worker.process.pid) for worker in workers)))
    return result["rows"], result["notes"]


def near(number, expected, percent=2):
    """Ends of blocks, and what python copies, merge as well: that is more for what is saved."""
    return abs(number - expected) <= expected * percent / 100


def test_fork_on_612():
    """Page flags of Linux 6.12 call every anonymous page merged: they must not be believed."""
    (pathlib.Path("/tmp") / "segments").mkdir(mode=0o700)
    started = [subprocess.Popen([str(BUILD / "tests/report/fake_process"), "/tmp/segments", "800", "half",
                                 *words, "advise"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for words in (["fork", "2"], [])]
    pids = [pid for process in started for pid in process.stdout.readline().split()[1:]]
    scan()
    site = json.loads(tool("report", "--json", "--sort", "merged", *pids))["sites"][0]
    check("only what is merged is called so", near(site["merged"], 4 * 400 * PAGE), site)
    check("what fork shares is not", near(site["fork_shared"], 3 * 400 * PAGE * 2 // 3, 20), site)
    for process in started:
        process.stdin.close()
        process.wait()


def test_stock():
    workers = [Worker(number) for number in range(2)]
    check("workers start", all(worker.read() == "ready" for worker in workers))
    scan()
    result = json.loads(tool("report", "--json", "test"))
    check("the stock kernel's source is Rss - Pss", result["totals"]["source"] == "Rss - Pss")
    check("nothing is known of scans there", result["sites"][0]["scanned"] is None)
    check("it merges nevertheless", near(result["sites"][0]["saved"], BLOCKS, 10), result["sites"][0])
    check("doctor says that it takes no hints", "takes no hints" in tool("doctor"))
    rows, notes = diff(workers)
    check("diff does not believe the page flags",
          all(row["merged"] is None and row["forked"] is None for row in rows), rows)
    check("diff says why", any("/proc/kpageflags" in note for note in notes), notes)
    for worker in workers:
        worker.end()
    test_fork_on_612()


def test_merging():
    _, site = report("before the first scan")
    check("never scanned is said", any("Never scanned" in line for line in site["why"]) or
          any("does not run" in line for line in site["why"]), site)
    scan()
    _, site = report("merged")
    check("all is merged", near(site["merged"], 3 * BLOCKS), site)
    check("two of three are saved", near(site["saved"], 2 * BLOCKS, 10), site)
    check("the figure is exact", site["saved_error"] == 0 and site["exact_processes"] == 3, site)
    check("priority and stability are shown",
          site["priority"] > 0 and site["stability"] in ("unknown", "settled", "mixed"), site)
    check("visits are counted", site["scanned"] >= 3 * BLOCKS // PAGE, site)
    table = tool("report", "--details", "test").splitlines()[0].split()
    check("the table has the usual columns and BROKEN", "BROKEN" in table and "CALLS" in table, table)
    table = tool("report", "--counters", "test").splitlines()[0].split()
    check("--counters has the kernel's", "SCANNED" in table and "PRIO" in table, table)


def test_diff(workers):
    """The patched kernel's page flags tell what is merged."""
    rows, _ = diff(workers)
    site = max(rows, key=lambda row: row["both"])
    check("diff finds the merged pages", near(site["merged"] * PAGE, BLOCKS), site)
    check("diff takes none for forked", site["forked"] == 0, site)


def test_changes(workers):
    check("written", workers[0].tell("write") == "done")
    totals, site = report("written, not visited")
    check("written pages are stale", near(totals.get("stale_merged", 0), BLOCKS), totals)
    check("what is stale is not saved", site["saved"] <= 2 * BLOCKS, site)
    scan()
    totals, site = report("written, visited")
    check("broken merges are counted", near(site["broken"] * PAGE, BLOCKS), site)
    check("why says so", any("Written again after merging" in line for line in site["why"]), site)
    check("two of two are saved", near(site["saved"], BLOCKS, 20), site)
    check("unique blocks", workers[1].tell("unique") == "done")
    scan()
    report("with unique blocks")
    check("forked", int(workers[2].tell("fork")) > 0)
    report("forked")
    # Then the child has a segment of its own.
    check("the child answers", workers[2].tell("unique") == "done")
    scan()
    report("forked, visited")
    check("freed", workers[1].tell("free") == "done")
    report("freed, not visited")
    scan()
    report("freed, visited")


def test_doctor():
    text = tool("doctor")
    for words in ("takes hints (version 1)", "hints are switched on", "80 % of each batch",
                  "on request with that of their own user", "the kernel counts by site",
                  "the kernel names memory in maps"):
        check(f"doctor says: {words}", words in text, text)
    write("hints", 0)
    write("hint_share", 0)
    (KSM / "merge_now_scope").write_text("system\n")
    text = tool("doctor")
    for words in ("hints are switched off", "echo 1 > /sys/kernel/mm/ksm/hints", "hint_share is 0",
                  "with that of all users"):
        check(f"doctor finds: {words}", words in text, text)
    write("hints", 1)
    write("hint_share", 80)
    (KSM / "merge_now_scope").write_text("user\n")


def main():
    write("pages_to_scan", 20000)
    write("sleep_millisecs", 1)
    if STOCK:
        test_stock()
        return bool(failures)
    workers = [Worker(number) for number in range(3)]
    check("workers start", all(worker.read() == "ready" for worker in workers))
    test_merging()
    test_diff(workers[:2])
    test_changes(workers)
    test_doctor()
    for worker in workers:
        worker.end()
    # The file is for who may trace the process, as smaps is.
    worker = Worker(9)
    worker.read()
    mode = os.stat(f"/proc/{worker.process.pid}/ksm_sites").st_mode & 0o777
    check("ksm_sites is 0400", mode == 0o400, oct(mode))
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           str(BUILD / "ksmalloc"), "report", str(worker.process.pid)],
                          capture_output=True, text=True, check=False)
    check("another user gets one line", done.returncode == 1 and "process" in done.stdout, done)
    worker.end()
    return bool(failures)


sys.exit(main())
