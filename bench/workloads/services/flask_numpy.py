# SPDX-License-Identifier: BSD-2-Clause
"""A Flask application with a numpy table of 32 MiB and 50,000 records."""

import json
import os
import pathlib

import flask
import numpy

DATA = pathlib.Path(os.environ["SERVICE_DATA"])
application = flask.Flask(__name__)
TABLE = numpy.random.default_rng(1).random((4 << 20) // 16 * 16).reshape(-1, 16)
RECORDS = json.loads((DATA / "records.json").read_text(encoding="ascii"))


@application.route("/")
def answer():
    number = int(flask.request.args.get("n", "0"))
    row = TABLE[number * 7919 % len(TABLE)]
    records = [RECORDS[(number * 104729 + step) % len(RECORDS)] for step in range(50)]
    return flask.jsonify(pid=os.getpid(), loaded=len(RECORDS) + TABLE.size, total=float(row.sum()),
                         records=len(json.dumps(records)))
