# SPDX-License-Identifier: BSD-2-Clause
"""A request to a FastCGI server, as a web server sends it; just enough for php-fpm."""

import json
import socket
import struct

from lib.harness import BenchError

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def length(text):
    return struct.pack(">B", len(text)) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)


def parameters(pairs):
    result = b""
    for name, value in pairs.items():
        name, value = name.encode(), value.encode()
        result += length(name) + length(value) + name + value
    return result


def request_of(script, query):
    pairs = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1",
             "SCRIPT_FILENAME": str(script), "SCRIPT_NAME": "/index.php", "QUERY_STRING": query,
             "REQUEST_URI": f"/index.php?{query}", "REMOTE_ADDR": "127.0.0.1"}
    return (record(BEGIN, struct.pack(">HB5x", 1, 0)) + record(PARAMS, parameters(pairs)) +
            record(PARAMS) + record(STDIN))


def get(port, script, query):
    """The body of the answer as JSON; the server closes the connection."""
    output, errors = b"", b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request_of(script, query))
        stream = connection.makefile("rb")
        while True:
            header = stream.read(8)
            if len(header) < 8:
                raise BenchError(f"FastCGI: the connection ended early: {errors[:300]!r}")
            _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", header)
            content = stream.read(size + padding)[:size]
            if kind == END:
                break
            if kind == STDOUT:
                output += content
            elif kind == STDERR:
                errors += content
    head, _, body = output.partition(b"\r\n\r\n")
    if b"Status:" in head or errors:
        raise BenchError(f"FastCGI: {head[:200]!r} {errors[:300]!r}")
    return json.loads(body)
