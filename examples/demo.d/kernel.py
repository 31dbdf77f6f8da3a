# SPDX-License-Identifier: BSD-2-Clause
"""`demo --kernel`: the same workers in two guests, on the stock and on the patched kernel."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from lib.harness import PYTHON, BenchError, main_guard  # noqa: E402  (the path must be set first)
from model import make  # noqa: E402
from session import MIB, step  # noqa: E402

KERNELS = ("stock", "patched")
PAGES, SLEEP = 1000, 20
PYTHON_MIB = 24  # Of a worker besides its data.
BYTES_A_MAPPING = 4096  # Of the host, in the worst case.


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    return parser.parse_args()


def run(command, **arguments):
    """As subprocess.run, but what is interrupted ends with all that it has started."""
    with subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL,
                          **arguments) as process:
        try:
            output = process.communicate()[0]
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def cache_folder():
    """As kernel/scripts/lib.sh has it."""
    home = os.environ.get("HOME") or "/tmp"
    below = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    return pathlib.Path(os.environ.get("KSMALLOC_CACHE") or f"{below}/ksmalloc")


def build_kernel(kernel, cached):
    """The kernel's file. Takes minutes the first time, and says so."""
    command = [str(ROOT / "kernel" / "scripts" / "build"), "uml"]
    command += ["--stock"] if kernel == "stock" else []
    status, output = 3, ""
    # Asking for a certain kernel unpacks the sources, if they are not there.
    if any(cache_folder().glob("kernel/tree-*/build-uml-*/.complete")):
        status, output = run(command + ["--cached", "--quiet"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    if status == 0:
        return output.strip()
    if cached:
        raise BenchError(f"the {kernel} kernel is not built; run without --no-build, or "
                         f"{' '.join(command)}")
    print(f"The {kernel} kernel is built the first time: Debian's source package is fetched (150 MB, "
          "once)\nand compiled, some five minutes on two processors. It stays in "
          f"{cache_folder()} (KSMALLOC_CACHE).", flush=True)
    status, output = run(command, stdout=subprocess.PIPE, text=True)
    if status:
        raise BenchError(f"the {kernel} kernel cannot be built (the reason stands above)")
    return output.strip()


def check_mappings(own_mib, model_mib):
    """run-uml raises the limit as root; without, a worker has to stay below it."""
    limit = int(pathlib.Path("/proc/sys/vm/max_map_count").read_text())
    needed = (own_mib + model_mib + PYTHON_MIB) * MIB // BYTES_A_MAPPING
    if os.geteuid() and limit < needed:
        raise BenchError(f"vm.max_map_count is {limit}, and a worker in the guest may need {needed}: "
                         f"as root, sysctl -w vm.max_map_count={needed}")


def boot(options, kernel, image, folder, shape):
    step(f"The {kernel} kernel, as User Mode Linux")
    workers, model, own, seconds = shape
    guest = [PYTHON, str(pathlib.Path(__file__).parent / "guest.py"), "--build", str(options.build),
             "--folder", folder, "--workers", str(workers), "--model-mib", str(model),
             "--own-mib", str(own), "--pages", str(PAGES), "--sleep", str(SLEEP),
             "--seconds", str(seconds)]
    memory = workers * (model + own + PYTHON_MIB) + 300
    command = [str(ROOT / "kernel" / "run-uml"), "--quiet", "--kernel", image, "--mem", f"{memory}M",
               "--timeout", "300", "--rw", folder, "--", *guest]
    status, _ = run(command)
    if status:
        raise BenchError(f"the guest of the {kernel} kernel ended with {status}")
    result = json.loads(pathlib.Path(folder, "result.json").read_text())
    report = pathlib.Path(folder, "report.txt").read_text()
    if result["seconds_95"] is None:
        result["seconds_95"], result["ksmd_95"] = float("inf"), result["ksmd"]
    return result, report


def show(results, seconds):
    stock, patched = (results[kernel] for kernel in KERNELS)
    step("Both kernels")
    print(f"{'':44}{'stock':>10}{'patched':>10}")

    def row(text, key, better):
        note = f"   {stock[key] / patched[key]:.1f} times {better}" if better else ""
        print(f"{text:44}{stock[key]:8.2f} s{patched[key]:8.2f} s{note}")

    row("95 % of the model are merged after", "seconds_95", "sooner")
    row("processor time of ksmd until then", "ksmd_95", "less")
    row(f"processor time of ksmd in {seconds} s", "ksmd", "")
    print(f"{f'memory saved after {seconds} s (Pss)':44}" +
          "".join(f"{(result['before'] - result['after']) / MIB:6.0f} MiB" for result in (stock, patched)))


def main():
    sys.argv[0] = "demo"  # Which is what the user has called.
    options = parse_options()
    signal.signal(signal.SIGHUP, lambda number, frame: sys.exit(128 + number))
    # workers, MiB of the model, MiB of its own of each worker, seconds
    shape = (3, 8, 40, 10) if options.quick else (4, 24, 120, 30)
    workers, model, own, seconds = shape
    check_mappings(own, model)
    step("Kernels")
    images = {kernel: build_kernel(kernel, options.no_build) for kernel in KERNELS}
    print("\n".join(images.values()), flush=True)
    step(f"{workers} python3 workers: the same model of {model} MiB in each, and {own} MiB of its own")
    print("All of their memory may merge, as with systemd's MemoryKSM=; the allocator gives hints\n"
          f"about its slots. KSM visits {PAGES} pages each {SLEEP} ms. Nothing differs but the kernel.")
    results, report = {}, ""
    with tempfile.TemporaryDirectory(prefix="ksmalloc-demo-") as folder:
        make(folder, model)
        for kernel in KERNELS:
            results[kernel], report = boot(options, kernel, images[kernel], folder, shape)
    show(results, seconds)
    step("What the patched kernel counted, by allocation site")
    print("$ ksmalloc report demo --details --top 4\n" + report, end="")
    if "exact counters of the kernel" not in report:
        raise BenchError("the report has no exact counters")
    if not results["patched"]["seconds_95"] < results["stock"]["seconds_95"]:
        raise BenchError("the patched kernel was not sooner; try again on a machine with less to do")
    print("\nThe guests have ended; nothing of this machine was changed.", flush=True)


main_guard(main)
