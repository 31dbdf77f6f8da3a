# SPDX-License-Identifier: BSD-2-Clause
"""A Flask application that multiplies matrices with numpy, at import and in requests: OpenBLAS has threads of its own."""

import os

import flask
import numpy

application = flask.Flask(__name__)
TABLE = numpy.random.default_rng(1).random((10000, 400))  # 31 MiB
GRAM = TABLE.T @ TABLE
if len(os.listdir("/proc/self/task")) < 2:
    raise SystemExit("numpy's BLAS has no thread")


@application.route("/")
def answer():
    number = int(flask.request.args.get("n", "0"))
    first = number * 7919 % (len(TABLE) - 500)
    total = (TABLE[first:first + 500] @ GRAM).sum()
    return flask.jsonify(pid=os.getpid(), loaded=TABLE.size + GRAM.size, total=float(total))
