# SPDX-License-Identifier: BSD-2-Clause
"""Programs of the parts of the patched kernel that decide and know no page (mm/ksm_*.c)."""

import pathlib
import subprocess

from lib.harness import ROOT, BenchError


def build(folder, name, modules):
    """Builds bench/src/NAME.c with these modules of the series in a folder, and returns the program."""
    done = subprocess.run([ROOT / "kernel" / "scripts" / "apply", "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"kernel/scripts/apply failed: {done.stderr.strip()}")
    program = pathlib.Path(folder, name)
    command = [ROOT / "tests" / "kernel" / "build-logic", done.stdout.strip(), program, "-O2 -g",
               ROOT / "bench" / "src" / f"{name}.c", *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"bench/src/{name}.c does not compile: {done.stderr.strip()[-400:]}")
    return program
