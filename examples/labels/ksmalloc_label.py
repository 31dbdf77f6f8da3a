# SPDX-License-Identifier: BSD-2-Clause
"""with label("load model"): what this thread allocates in it belongs to that site. Without the library nothing happens."""
import contextlib
import ctypes

_process = ctypes.CDLL(None)
_begin, _end = getattr(_process, "ksmalloc_label_begin", None), getattr(_process, "ksmalloc_label_end", None)


@contextlib.contextmanager
def label(name):
    begun = _begin is not None and _begin(name.encode()) in (0, -7)  # -E2BIG is to be ended, too
    try:
        yield
    finally:
        if begun:
            _end()
