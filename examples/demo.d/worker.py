# SPDX-License-Identifier: BSD-2-Clause
"""worker.py FOLDER: loads the model, says "ready", then answers each word on standard input."""

import sys

from model import Model


def main():
    model = Model(sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        print(model.answer(line.strip()), flush=True)


main()
