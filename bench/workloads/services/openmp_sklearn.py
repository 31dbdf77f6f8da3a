# SPDX-License-Identifier: BSD-2-Clause
"""A Flask application that finds clusters with scikit-learn at import, and asks for them in requests: both use OpenMP."""

import os

import flask
import numpy
from sklearn.cluster import KMeans

application = flask.Flask(__name__)
TABLE = numpy.random.default_rng(1).random((100000, 40))  # 31 MiB
MODEL = KMeans(n_clusters=32, n_init=1, max_iter=10, random_state=1).fit(TABLE[:20000])
if len(os.listdir("/proc/self/task")) < 2:
    raise SystemExit("scikit-learn's OpenMP has no thread")


@application.route("/")
def answer():
    number = int(flask.request.args.get("n", "0"))
    first = number * 7919 % (len(TABLE) - 2000)
    total = int(MODEL.predict(TABLE[first:first + 2000]).sum())
    return flask.jsonify(pid=os.getpid(), loaded=TABLE.size + MODEL.n_clusters, total=total)
