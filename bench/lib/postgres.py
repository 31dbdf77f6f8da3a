# SPDX-License-Identifier: BSD-2-Clause
"""PostgreSQL whose connections prepare many statements: each backend has large caches of its own."""

import pathlib
import re
import shutil
import signal
import subprocess
import time

from lib import services
from lib.harness import BenchError
from lib.services import START_SECONDS, Server

USER = "postgres"
TABLES = 400
COLUMNS = 12
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 40
autovacuum = off
fsync = off
plan_cache_mode = force_generic_plan
log_min_messages = warning
"""


def programs():
    """The folder of the newest PostgreSQL that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[4]))
    if not found:
        raise BenchError("postgres is missing: apt install postgresql, or "
                         "packaging/install-packages services")
    return found[-1].parent


def as_user(words):
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *map(str, words)]


def schema(tables):
    columns = ", ".join(f"c{number} integer" for number in range(COLUMNS))
    for number in range(tables):
        yield f"CREATE TABLE t{number} (id integer PRIMARY KEY, {columns});"
        yield f"CREATE INDEX ON t{number} (c1);"
        yield f"INSERT INTO t{number} (id, c1) SELECT n, n % 7 FROM generate_series(1, 20) n;"


def statements(tables):
    for number in range(tables):
        other = (number * 7 + 1) % tables
        yield (f"PREPARE p{number}(integer) AS SELECT a.*, b.c1 AS other, b.c2 AS another FROM t{number} a "
               f"JOIN t{other} b ON a.id = b.id WHERE a.c1 = $1 AND (b.c2 > $1 OR b.c3 IS NULL) "
               "ORDER BY a.c3, b.c4;")
        yield f"EXECUTE p{number}(1);"


class Postgres(Server):
    """The workers are the backends of connections, two for each worker that is asked for."""

    profile = None
    has_preload = False
    has_single = False  # Servers with one connection each do not share data.
    user = USER
    end_signal = signal.SIGINT  # "fast": it does not wait for clients.

    def __init__(self, name):
        super().__init__(name)
        self.tables = TABLES

    def workers(self, number):
        return 2 * number

    def title(self, number):
        return f"{self.name}, {self.workers(number)} connections"

    def become(self):
        return as_user([])

    def command(self, folder, port, workers, preload):
        return [str(programs() / "postgres"), "-D", str(folder / "cluster"), "-p", str(port)]

    def prepare(self, folder, scale):
        self.tables = max(10, int(TABLES * scale))
        cluster = folder / "data" / "cluster"
        cluster.mkdir()
        folder.chmod(0o755)
        shutil.chown(cluster, USER, USER)
        run(as_user([programs() / "initdb", "-D", cluster, "-A", "trust", "-U", USER, "--no-locale",
                     "-E", "UTF8", "--no-sync"]))
        with open(cluster / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(CONFIGURATION)
        run(as_user([programs() / "postgres", "--single", "-j", "-D", cluster, "postgres"]),
            "\n\n".join(schema(self.tables)) + "\n\n")

    def lay_out(self, folder):
        """A cluster and a run-time folder that belong to the server's user."""
        run(["cp", "-a", str(folder / "data" / "cluster"), str(folder / "cluster")])
        shutil.chown(folder, USER, USER)

    def warm_up(self, running):
        running.wait_listening()
        running.clients = [self.connect(running) for _ in range(running.wanted)]
        text = "\n".join(statements(self.tables))
        for client in running.clients:
            client.stdin.write(text + "\nSELECT 'ready', pg_backend_pid(), count(*) FROM "
                               "pg_prepared_statements;\n")
            client.stdin.flush()
        running.accept([self.ready(running, client) for client in running.clients])

    def connect(self, running):
        words = [str(programs() / "psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p",
                 str(running.ports[0]), "-U", USER, "postgres"]
        end = time.monotonic() + START_SECONDS
        while subprocess.run(words + ["-c", "SELECT 1"], capture_output=True, check=False,
                             env=services.environment("/")).returncode:
            if time.monotonic() > end:
                raise BenchError("postgres accepts no connections" + running.last_words())
            time.sleep(0.2)
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=running.log, text=True, env=services.environment("/"))

    def ready(self, running, client):
        for line in client.stdout:
            if line.startswith("ready|"):
                _, pid, count = line.strip().split("|")
                if int(count) != self.tables:
                    raise BenchError(f"postgres: {count} statements are prepared, not {self.tables}")
                return {"pid": int(pid), "loaded": int(count)}
        raise BenchError("postgres: a client ended early" + running.last_words())

    def hang_up(self, running):
        for client in getattr(running, "clients", []):
            client.stdin.close()
            try:
                client.wait(timeout=10)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()
            client.stdout.close()

    def speed(self, running, seconds):
        """Transactions a second of pgbench, on connections of its own."""
        script = running.folder / "transaction.sql"
        script.write_text(f"\\set n random(0, {self.tables - 1})\n"
                          "SELECT count(*) FROM t0 a JOIN t1 b ON a.id = b.id WHERE a.c1 = :n;\n")
        words = [str(programs() / "pgbench"), "-n", "-M", "prepared", "-h", "127.0.0.1", "-p",
                 str(running.ports[0]), "-U", USER, "-c", "4", "-j", "1", "-T", str(max(1, round(seconds))),
                 "-f", str(script), "postgres"]
        output = run(words)
        match = re.search(r"tps = ([\d.]+)", output)
        if not match:
            raise BenchError(f"pgbench: {output.strip()}")
        return float(match[1])


def run(words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False, cwd="/",
                          env=services.environment("/"))
    if done.returncode or "ERROR:" in done.stderr:
        raise BenchError(f"{words[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout
