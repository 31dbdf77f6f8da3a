# SPDX-License-Identifier: BSD-2-Clause
"""The servers of bench/services: how each is started, with what data, and how it is warmed up."""

import pathlib
import shutil
import signal
import subprocess
import sys

from lib import services
from lib.harness import BENCH, PYTHON, BenchError

FOLDER = BENCH / "workloads" / "services"
RECORDS = BENCH / "workloads" / "shared" / "records.py"


class Server:
    """A server with workers that speak HTTP."""

    profile = "python"
    needs = ()
    speaks_http = True
    has_preload = True
    end_signal = signal.SIGTERM

    def __init__(self, name):
        self.name = name

    def command(self, folder, port, workers, preload):
        raise NotImplementedError

    def environment(self, folder):
        return {"SERVICE_DATA": str(folder / "data")}

    def prepare(self, folder, scale):
        """Makes the data; called once, before anything is measured."""

    def warm_up(self, running):
        services.warm_up(running)

    def speed(self, running, seconds):
        return services.speed(running, seconds)


def make_records(folder, scale):
    """Records as JSON, for several of them."""
    path = folder / "data" / "records.json"
    if not path.exists():
        with open(path, "wb") as file:
            subprocess.run([PYTHON, str(RECORDS), str(max(1000, int(50000 * scale)))], stdout=file,
                           check=True)


class Gunicorn(Server):
    needs = (("/usr/bin/gunicorn", "gunicorn"),)

    def __init__(self, name, application, arguments=(), imports=()):
        super().__init__(name)
        self.application = application
        self.arguments = list(arguments)
        self.imports = imports

    def command(self, folder, port, workers, preload):
        return ["/usr/bin/gunicorn", "--chdir", str(folder / "apps"), "--workers", str(workers),
                "--bind", f"127.0.0.1:{port}", "--timeout", "120", "--graceful-timeout", "5",
                *self.arguments, *(["--preload"] if preload else []), self.application]

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


SERVERS = {server.name: server for server in (
    Gunicorn("gunicorn", "large:application",
             imports=(("pandas", "python3-pandas"), ("sklearn", "python3-sklearn"))),
    Gunicorn("flask", "flask_numpy:application",
             imports=(("flask", "python3-flask"), ("numpy", "python3-numpy"))),
    Gunicorn("gthread", "small:application", ["--worker-class", "gthread", "--threads", "4"]),
    Uvicorn("uvicorn"),
    Uwsgi("uwsgi"),
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


def lay_out(folder, place):
    """A run's own folder for seeds, sockets and logs, with the data of all."""
    for name in ("data", "apps"):
        (place / name).symlink_to(folder / name)
    return place
