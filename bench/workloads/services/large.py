# SPDX-License-Identifier: BSD-2-Clause
"""A WSGI application as a model server is: pandas, a fitted model, a table of 128 MiB, 300,000 rows."""

import json
import os
import pathlib
from urllib.parse import parse_qs

import joblib
import numpy
import pandas

DATA = pathlib.Path(os.environ["SERVICE_DATA"])


class Customer:
    """A row as an object; the other half of the rows are dictionaries."""

    def __init__(self, number, name, city, score):
        self.number = number
        self.name = name
        self.city = city
        self.score = score


TABLE = numpy.load(DATA / "table.npy")
MODEL = joblib.load(DATA / "model.joblib")
FRAME = pandas.read_csv(DATA / "rows.csv")
HALF = len(FRAME) // 2
ROWS = FRAME[:HALF].to_dict("records") + [Customer(*row) for row in FRAME[HALF:].itertuples(index=False)]


def answer(number):
    features = TABLE[number % len(TABLE), :8].reshape(1, -1)
    row = ROWS[number * 7919 % HALF]
    customer = ROWS[HALF + number * 104729 % HALF]
    return {"pid": os.getpid(), "loaded": len(ROWS) + TABLE.size,
            "class": int(MODEL.predict(features)[0]),
            "total": row["score"] + customer.score}


def application(environ, start_response):
    number = int(parse_qs(environ.get("QUERY_STRING", "")).get("n", ["0"])[0])
    body = json.dumps(answer(number)).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
