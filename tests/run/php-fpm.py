# SPDX-License-Identifier: BSD-2-Clause
"""php-fpm.py SOCKET SCRIPT QUERY [COUNT]: requests to a FastCGI server, one by one, and the bodies of its answers."""

import socket
import struct
import sys

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def parameter(name, value):
    return struct.pack(">BI", len(name), len(value) | 1 << 31) + name.encode() + value.encode()


def body(path, script, query):
    given = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_FILENAME": script,
             "SCRIPT_NAME": "/", "QUERY_STRING": query}
    output = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(record(BEGIN, struct.pack(">HB5x", 1, 0)) +
                           record(PARAMS, b"".join(parameter(*pair) for pair in given.items())) +
                           record(PARAMS) + record(STDIN))
        stream = connection.makefile("rb")
        while header := stream.read(8):
            _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", header)
            content = stream.read(size + padding)[:size]
            if kind == STDOUT:
                output += content
            if kind == END:
                break
    return output.partition(b"\r\n\r\n")[2].decode()


for _ in range(int(sys.argv[4]) if len(sys.argv) > 4 else 1):
    sys.stdout.write(body(*sys.argv[1:4]))
