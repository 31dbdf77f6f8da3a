# SPDX-License-Identifier: BSD-2-Clause
"""The servers of bench/services: how each is started, with what data, and how it is warmed up."""

import json
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

from lib import fastcgi, services
from lib.harness import BENCH, PYTHON, BenchError, describe_packages
from lib.postgres import Postgres
from lib.services import Server

FOLDER = BENCH / "workloads" / "services"
RECORDS = BENCH / "workloads" / "shared" / "records.py"


def make_records(folder, scale):
    """Records as JSON, for several of them."""
    path = folder / "data" / "records.json"
    if not path.exists():
        with open(path, "wb") as file:
            subprocess.run([PYTHON, str(RECORDS), str(max(1000, int(50000 * scale)))], stdout=file,
                           check=True)


LIBRARIES = f"/usr/lib/{platform.machine()}-linux-gnu"
OPENBLAS = f"{LIBRARIES}/openblas-pthread"


class Gunicorn(Server):
    needs = (("/usr/bin/gunicorn", "gunicorn"),)
    # numpy takes this BLAS, whichever one Debian's alternatives name: the reference one, which has no threads.
    blas = f"{LIBRARIES}/blas:{LIBRARIES}/lapack"

    def __init__(self, name, application, arguments=(), imports=()):
        super().__init__(name)
        self.application = application
        self.arguments = list(arguments)
        self.imports = imports

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/gunicorn", "--chdir", str(folder / "apps"), "--workers", str(workers),
                "--bind", f"127.0.0.1:{port}", "--timeout", "120", "--graceful-timeout", "5",
                *self.arguments, *(["--preload"] if preload else []), self.application]

    def environment(self, folder):
        return super().environment(folder) | {"LD_LIBRARY_PATH": self.blas}

    def prepare(self, folder, scale):
        for module, package in self.imports:
            if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True,
                              check=False).returncode:
                raise BenchError(f"{self.name} needs {package}: "
                                 "run packaging/install-packages services")
        if self.application.startswith("large"):
            subprocess.run([PYTHON, str(FOLDER / "large-data.py"), str(folder / "data"), str(scale)],
                           check=True)
        else:
            make_records(folder, scale)


class Threaded(Gunicorn):
    """The application has a library with threads of its own, two in each worker."""

    needs = Gunicorn.needs + ((f"{OPENBLAS}/libblas.so.3", "libopenblas0-pthread"),)
    blas = OPENBLAS

    def __init__(self, name, application, imports, has_preload):
        super().__init__(name, application, imports=imports)
        self.has_preload = has_preload

    def environment(self, folder):
        return super().environment(folder) | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}


class Uvicorn(Server):
    needs = (("/usr/bin/uvicorn", "uvicorn"),)
    has_preload = False

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/uvicorn", "--app-dir", str(folder / "apps"), "--workers", str(workers),
                "--port", str(port), "--log-level", "warning", "small:asgi"]

    def prepare(self, folder, scale):
        make_records(folder, scale)


class Uwsgi(Server):
    """uwsgi forks after it has loaded unless it is told --lazy-apps."""

    needs = (("/usr/bin/uwsgi", "uwsgi-core"),
             ("/usr/lib/uwsgi/plugins/python311_plugin.so", "uwsgi-plugin-python3"))
    end_signal = signal.SIGINT

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/uwsgi", "--plugin", "python3",
                "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", str(workers),
                "--chdir", str(folder / "apps"), "--module", "small:application",
                "--disable-logging", "--need-app", *([] if preload else ["--lazy-apps"])]

    def prepare(self, folder, scale):
        make_records(folder, scale)


FPM_CONFIGURATION = """
[global]
daemonize = no
error_log = /proc/self/fd/2
[www]
listen = 127.0.0.1:{port}
user = www-data
pm = static
pm.max_children = {workers}
clear_env = no
catch_workers_output = yes
php_admin_value[memory_limit] = 256M
"""


class PhpFpm(Server):
    """php-fpm without opcache: every request compiles its classes."""

    profile = "php"
    needs = (("/usr/sbin/php-fpm8.2", "php8.2-fpm"),)  # php-fpm brings it.
    has_preload = False
    user = "www-data"  # The workers; the master is root.
    worth = 50

    def command(self, folder, port, workers, preload):
        configuration = folder / f"fpm-{port}.conf"
        configuration.write_text(FPM_CONFIGURATION.format(port=port, workers=workers))
        return ["/usr/sbin/php-fpm8.2", "-n", "-F", "-y", str(configuration)]

    def prepare(self, folder, scale):
        subprocess.run([PYTHON, str(FOLDER / "classes.py"), str(folder / "data" / "classes"),
                        str(max(10, int(500 * scale)))], check=True)

    def request(self, running, port, number):
        return fastcgi.get(port, running.folder / "apps" / "index.php", f"n={number}")

    def speed(self, running, seconds):
        return services.stream_requests(running, seconds)


class Puma(Server):
    profile = "ruby"
    needs = (("/usr/bin/puma", "puma"),)

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/puma", "--quiet", "--workers", str(workers), "--threads", "4:4",
                "--environment", "production", "--dir", str(folder / "apps"),
                "--bind", f"tcp://127.0.0.1:{port}", *(["--preload"] if preload else []), "config.ru"]

    def prepare(self, folder, scale):
        make_records(folder, scale)


UNICORN_CONFIGURATION = """
working_directory '{apps}'
listen '127.0.0.1:{port}'
worker_processes {workers}
preload_app {preload}
timeout 120
"""


class Unicorn(Server):
    """puma's application in workers of one thread."""

    profile = "ruby"
    needs = (("/usr/bin/unicorn", "unicorn"),)

    def command(self, folder, port, workers, preload):
        configuration = folder / f"unicorn-{port}.rb"
        configuration.write_text(UNICORN_CONFIGURATION.format(apps=folder / "apps", port=port, workers=workers,
                                                              preload=str(preload).lower()))
        return ["/usr/bin/unicorn", "--env", "production", "--config-file", str(configuration),
                str(folder / "apps" / "config.ru")]

    def prepare(self, folder, scale):
        make_records(folder, scale)


class NodeCluster(Server):
    """node's cluster module executes node once more for each worker."""

    profile = "node"
    needs = (("/usr/bin/node", "nodejs"),)
    has_preload = False

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/node", str(folder / "apps" / "cluster.js"), str(port), str(workers)]

    def prepare(self, folder, scale):
        make_records(folder, scale)


class JavaCluster(Server):
    """Java has no master that forks: a shell starts the workers, each with a port of its own."""

    profile = "java"
    needs = (("/usr/bin/java", "openjdk-17-jre-headless"), ("/usr/bin/javac", "openjdk-17-jdk-headless"))
    has_preload = False
    own_ports = True

    def command(self, folder, port, workers, preload):
        java = ["/usr/bin/java", "-Xmx256m", "-cp", str(folder / "data" / "java"), "Records"]
        return (["/bin/sh", str(folder / "apps" / "cluster.sh"), str(port), str(workers), *java] if workers > 1
                else [*java, str(port)])

    def prepare(self, folder, scale):
        make_records(folder, scale)
        with open(folder / "data" / "records.json", encoding="ascii") as file, \
                open(folder / "data" / "records.tsv", "w", encoding="ascii") as lines:
            for row in json.load(file):
                words = [row["id"], row["name"], row["email"], *row["tags"], row["score"], *row["address"].values()]
                print(*words, sep="\t", file=lines)
        subprocess.run(["/usr/bin/javac", "-d", str(folder / "data" / "java"), str(FOLDER / "Records.java")], check=True)

    def speed(self, running, seconds):
        """wrk knows one port only."""
        return services.stream_requests(running, seconds)


class CeleryPool(Server):
    """celery forks its pool when it has imported the tasks; what a task loads is the child's.

    Its queue is a redis that is no part of the service.
    """

    needs = (("/usr/bin/celery", "celery"), ("/usr/lib/python3/dist-packages/redis", "python3-redis"),
             ("/usr/bin/redis-server", "redis-server"))
    has_single = False  # All that are started share one queue, so that some would get no task.

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/env", *(["SERVICE_PRELOAD=1"] if preload else []), "/usr/bin/celery",
                "--app", "jobs", "worker", "--pool", "prefork",
                "--concurrency", str(workers), "--loglevel", "WARNING", "-O", "fair",
                "--without-gossip", "--without-mingle", "--without-heartbeat"]

    def environment(self, folder):
        return super().environment(folder) | {"SERVICE_QUEUE": str(folder / "queue"), "C_FORCE_ROOT": "1",
                                            "PYTHONPATH": str(folder / "apps")}

    def prepare(self, folder, scale):
        make_records(folder, scale)

    def lay_out(self, folder):
        self.queue = subprocess.Popen(["/usr/bin/redis-server", "--port", "0", "--unixsocket", str(folder / "queue"),
                                       "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL)

    def hang_up(self, running):
        self.queue.terminate()
        self.queue.wait()

    def wait(self, running):
        """Tasks wait in the queue until somebody takes them."""

    def ask(self, running, count):
        extra = self.environment(running.folder)
        done = subprocess.run([PYTHON, str(running.folder / "apps" / "jobs.py"), str(count)],
                              capture_output=True, text=True, check=False, timeout=services.START_SECONDS,
                              env=services.environment(running.folder, extra))
        if done.returncode:
            raise BenchError(f"{self.name}: {done.stderr.strip()[-300:]}" + running.last_words())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def speed(self, running, seconds):
        """Tasks a second, sender and queue included."""
        return services.count_requests(running, seconds, 100)


SERVERS = {server.name: server for server in (
    Gunicorn("gunicorn", "large:application",
             imports=(("pandas", "python3-pandas"), ("sklearn", "python3-sklearn"))),
    Gunicorn("flask", "flask_numpy:application",
             imports=(("flask", "python3-flask"), ("numpy", "python3-numpy"))),
    Threaded("blas", "blas_numpy:application", (("flask", "python3-flask"), ("numpy", "python3-numpy")), True),
    # GNU's OpenMP waits for ever in a child whose parent has used it before the fork.
    Threaded("openmp", "openmp_sklearn:application", (("flask", "python3-flask"), ("sklearn", "python3-sklearn")), False),
    Gunicorn("gthread", "small:application", ["--worker-class", "gthread", "--threads", "4"]),
    Uvicorn("uvicorn"),
    Uwsgi("uwsgi"),
    CeleryPool("celery"),
    PhpFpm("php-fpm"),
    Puma("puma"),
    Unicorn("unicorn"),
    NodeCluster("node"),
    JavaCluster("java"),
    Postgres("postgres"),
)}


def prepare(servers, folder, scale):
    """Data and applications in a folder of their own, compiled: nothing in it changes later."""
    for server in servers:
        for path, package in server.needs:
            if not pathlib.Path(path).exists():
                raise BenchError(f"{server.name}: {path} is missing: apt install {package}, or "
                                 "packaging/install-packages services")
    (folder / "data").mkdir()
    apps = folder / "apps"
    shutil.copytree(FOLDER, apps)
    subprocess.run([PYTHON, "-m", "compileall", "-q", str(apps)], check=True,
                   stdout=sys.stderr.fileno())
    for server in servers:
        server.prepare(folder, scale)


def packages(servers):
    """What is measured, with versions."""
    names = sorted({package for server in servers for _, package in server.needs}
                   | {package for server in servers for _, package in getattr(server, "imports", ())})
    return describe_packages(names) if names else {}


def lay_out(server, folder, place):
    """A run's own folder for seeds, sockets and logs, with the data of all."""
    for path in (folder, place):
        path.chmod(0o755)  # Some servers run as users of their own.
    for name in ("data", "apps"):
        (place / name).symlink_to(folder / name)
    server.lay_out(place)
