# SPDX-License-Identifier: BSD-2-Clause
"""json-load.py, whose data is then freed; waits at rest until its input ends."""

import gc
import pathlib
import runpy
import sys

runpy.run_path(str(pathlib.Path(__file__).with_name("json-load.py")))
gc.collect()
print("at rest", flush=True)
sys.stdin.read()
