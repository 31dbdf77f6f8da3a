# SPDX-License-Identifier: BSD-2-Clause
from ksmalloc_label import label

with label("load model"):
    model = [bytes([number]) * 200000 for number in range(16)]
with label("warm up"):
    with label("page cache"):
        pages = [bytearray(100000) for number in range(16)]
    try:
        with label("never"):
            raise KeyError
    except KeyError:
        buffers = [bytearray(50000) for number in range(32)]
print("done", len(model) + len(pages) + len(buffers), flush=True)
input()
