# SPDX-License-Identifier: BSD-2-Clause
"""php-fpm.py SOCKET SCRIPT QUERY: one request to a FastCGI server, and the body of its answer."""

import socket
import struct
import sys

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def parameter(name, value):
    return struct.pack(">BI", len(name), len(value) | 1 << 31) + name.encode() + value.encode()


path, script, query = sys.argv[1:]
given = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_FILENAME": script,
         "SCRIPT_NAME": "/", "QUERY_STRING": query}
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(60)
connection.connect(path)
connection.sendall(record(BEGIN, struct.pack(">HB5x", 1, 0)) +
                   record(PARAMS, b"".join(parameter(*pair) for pair in given.items())) +
                   record(PARAMS) + record(STDIN))
stream, output = connection.makefile("rb"), b""
while header := stream.read(8):
    _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", header)
    content = stream.read(size + padding)[:size]
    if kind == STDOUT:
        output += content
    if kind == END:
        break
sys.stdout.write(output.partition(b"\r\n\r\n")[2].decode())
