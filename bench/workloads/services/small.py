# SPDX-License-Identifier: BSD-2-Clause
"""A small application with 50,000 records from JSON, for WSGI (application) and ASGI (asgi)."""

import asyncio  # noqa: F401  What applications of this size import.
import decimal  # noqa: F401
import email.message  # noqa: F401
import json
import logging  # noqa: F401
import os
import pathlib
import sqlite3  # noqa: F401
from urllib.parse import parse_qs

with open(pathlib.Path(os.environ["SERVICE_DATA"], "records.json"), encoding="ascii") as file:
    RECORDS = json.load(file)


def answer(query):
    number = int(parse_qs(query).get("n", ["0"])[0])
    part = [RECORDS[(number * 7919 + step) % len(RECORDS)] for step in range(200)]
    text = json.dumps(part)
    return json.dumps({"pid": os.getpid(), "loaded": len(RECORDS), "length": len(text)}).encode()


def application(environ, start_response):
    body = answer(environ.get("QUERY_STRING", ""))
    # uwsgi closes the connection without a word, and gunicorn does not pass this on.
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "close"),
                              ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = answer(scope["query_string"].decode())
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json"),
                            (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
