# SPDX-License-Identifier: BSD-2-Clause
"""Services with several worker processes: the ways to start them, their warm-up, and their end.

A service counts as up when each of its workers has answered a request and says that it has loaded.
Everything that is not so ends the benchmark: a worker that did not come up would look like memory saved.
"""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from lib import memory, merging, processes
from lib.harness import BenchError

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # Debian's programs, whatever the user has before them.
START_SECONDS = 180
END_SECONDS = 30
SHARE_SECONDS = 60
# Memory is read of workers that have nothing to do: with their profiles, php's and python's give back what requests
# have left once a second has gone by.
IDLE_SECONDS = 3
# Masters have helpers now and then, which end by themselves.
HELPER_SECONDS = 3
SERVICE, SINGLE, PRELOAD = "service", "single", "preload"
GLIBC = "glibc, all mergeable"
FIXED = "glibc, setarch -R, all mergeable"
PRIVATE = "ksmalloc, private"
SHARED = "ksmalloc, shared"
SHARING = "ksmalloc, shared, --share, no KSM"
ALONE = "ksmalloc, shared, one by one"
PRELOADED = "glibc, --preload, no KSM"


class Way:
    """A way to start a service: its column, what stands in front of its command, and its form.

    The form is SERVICE, one master with all workers, SINGLE, as many masters as workers with one each,
    or PRELOAD, one master that loads before it forks.
    """

    def __init__(self, column, form=SERVICE, mergeable=False, fixed=False, layout=None, ksm=True, sharing=False):
        self.column = column
        self.form = form
        self.mergeable = mergeable
        self.fixed = fixed
        self.layout = layout
        self.ksm = ksm
        self.sharing = sharing

    def prefix(self, bench, group, profile):
        if self.layout:
            words = merging.group_prefix(bench, group, [f"--layout={self.layout}"] + ["--share"] * self.sharing)
            if "ksmalloc" in bench.allocators.libraries:
                words.append(f"--library={bench.allocators.paths['ksmalloc']}")
            if self.layout == "shared" and profile:
                words.append(f"--profile={profile}")
            return words + ["--"]
        return (["setarch", "-R"] if self.fixed else []) + (
            [bench.program("mergeable")] if self.mergeable else [])


WAYS = {
    "glibc": Way(GLIBC, mergeable=True),
    "fixed": Way(FIXED, mergeable=True, fixed=True),
    "private": Way(PRIVATE, layout="private"),
    "shared": Way(SHARED, layout="shared"),
    "sharing": Way(SHARING, layout="shared", ksm=False, sharing=True),
    "alone": Way(ALONE, SINGLE, layout="shared"),
    "preload": Way(PRELOADED, PRELOAD, ksm=False),
}


def environment(folder, extra=None):
    """The same short environment for all, so that the caller's own cannot make a difference."""
    result = {"PATH": PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8", "XDG_RUNTIME_DIR": str(folder)}
    result.update(extra or {})
    return result


def free_ports(count):
    """So many ports in a row that nobody has."""
    while True:
        with contextlib.ExitStack() as stack:
            ports = [0]
            try:
                for _ in range(count):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", ports[-1]))
                    ports.append(probe.getsockname()[1] + 1)
            except (OSError, OverflowError):
                continue
            return range(ports[1] - 1, ports[-1])


def get(port, number):
    """One request to a service that speaks HTTP, whose workers may still start; what the worker says about itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", f"/?n={number}", headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise BenchError(f"a worker answered with {response.status}: {body[:200]!r}")
        return json.loads(body)
    finally:
        connection.close()


class Server:
    """A server with workers that speak HTTP; lib/servers.py has them."""

    profile = "python"
    needs = ()
    connections = 2  # of wrk, for each worker
    has_preload = True
    has_single = True
    own_ports = False  # Whether each worker listens for itself, on the port that it is given or one behind it.
    user = "root"
    end_signal = signal.SIGTERM
    worth = 1  # One of its requests takes as long as so many of most others.

    def __init__(self, name):
        self.name = name

    def ways(self, ways):
        return [way for way in ways if (way.form != PRELOAD or self.has_preload)
                and (way.form != SINGLE or self.has_single)]

    def workers(self, number):
        """How many processes answer if the user asks for this number of workers."""
        return number

    def title(self, number):
        return f"{self.name}, {self.workers(number)} workers"

    def command(self, folder, port, workers, preload):
        raise NotImplementedError

    def environment(self, folder):
        return {"SERVICE_DATA": str(folder / "data")}

    def become(self):
        """What stands in front of everything, for servers that must not be root."""
        return []

    def prepare(self, folder, scale):
        """Makes the data; called once, before anything is measured."""

    def lay_out(self, folder):
        """Makes what each run has for itself."""

    def request(self, running, port, number):
        """One request; what the worker says about itself."""
        return get(port, number)

    def wait(self, running):
        """Waits until it takes requests."""
        running.wait_listening()

    def ask(self, running, count):
        """So many requests, distributed by the service; all answers."""
        return ask(running, count)

    def warm_up(self, running):
        warm_up(running)

    def hang_up(self, running):
        """Ends what warm_up() left open."""

    def speed(self, running, seconds):
        return speed(running, seconds)


class Running:
    """A service that runs; use as a context manager. Only what was started here is ended."""

    def __init__(self, bench, server, way, folder):
        self.bench, self.server, self.way, self.folder = bench, server, way, folder
        self.wanted = server.workers(bench.options.workers)
        self.connections = server.connections * self.wanted
        # By a number of this run, for reports sum up groups of the whole machine; as long in each, as its length is in environments.
        self.group = f"bench-{server.name}-{os.getpid():07}"
        self.masters = []
        self.ports = []
        self.workers = []
        self.seen = []
        self.log = open(folder / "log", "w+", encoding="utf-8", errors="replace")

    def __enter__(self):
        try:
            count = self.wanted if self.way.form == SINGLE else 1
            for index in range(count):
                if index:
                    time.sleep(self.bench.options.apart)
                self.start(self.wanted // count)
            self.server.warm_up(self)
            self.check_workers()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind, *rest):
        left = self.end()
        if left and kind is None:
            raise BenchError(f"{self.server.name}: {len(left)} processes had to be killed"
                             + self.last_words())

    # ---- up --------------------------------------------------------------------------------

    def start(self, workers):
        ports = free_ports(workers if self.server.own_ports else 1)
        words = self.server.become()
        words += self.way.prefix(self.bench, self.group, self.server.profile)
        words += self.server.command(self.folder, ports[0], workers, self.way.form == PRELOAD)
        extra = self.server.environment(self.folder)
        self.masters.append(subprocess.Popen(words, env=environment(self.folder, extra), cwd="/",
                                             stdin=subprocess.DEVNULL, stdout=self.log,
                                             stderr=self.log, start_new_session=True))
        self.ports += ports

    def wait_listening(self):
        end = time.monotonic() + START_SECONDS
        for port in self.ports:
            while True:
                self.check_alive()
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if time.monotonic() > end:
                    raise BenchError(f"{self.server.name} does not listen" + self.last_words())
                time.sleep(0.05)

    def accept(self, answers):
        """Takes the workers' own word: who they are, and that all have loaded the same."""
        loaded = {answer["loaded"] for answer in answers}
        if len(loaded) != 1:
            raise BenchError(f"{self.server.name}: the workers loaded different data: {loaded}")
        count = collections.Counter(answer["pid"] for answer in answers)
        if len(count) != self.wanted:
            raise BenchError(f"{self.server.name}: {len(count)} workers answered, not {self.wanted}"
                             + self.last_words())
        self.workers = sorted(count)

    def check_workers(self):
        """All that answered descend from what was started, in the state that the way promises."""
        pids = self.pids()
        strangers = set(self.workers) - set(pids)
        if strangers:
            raise BenchError(f"{self.server.name}: {strangers} answered, but nobody started them")
        self.seen = pids
        for pid in self.workers:
            stat = pathlib.Path(f"/proc/{pid}/ksm_stat").read_text(encoding="ascii")
            merges = "ksm_merge_any: yes" in stat
            if merges != self.way.mergeable:
                raise BenchError(f"{self.server.name}: worker {pid} is "
                                 f"{'' if merges else 'not '}mergeable as a whole")
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
            if bool(self.way.layout) != ("libksmalloc.so" in maps):
                raise BenchError(f"{self.server.name}: worker {pid} has "
                                 f"{'no ' if self.way.layout else ''}libksmalloc.so")
        if self.way.layout:
            self.check_layout()

    def check_layout(self):
        """What `ksmalloc report` says of the group: the layout, and that no worker is apart."""
        words = [self.bench.tool(), "report", "--json", "--all", "--group", self.group]
        done = subprocess.run(words, env=environment(self.folder), capture_output=True, text=True,
                              check=False, timeout=120)
        if done.returncode:
            raise BenchError(f"ksmalloc report: {done.stderr.strip()}")
        groups = json.loads(done.stdout)["groups"]
        group = next((row for row in groups if row["group"] == self.group), None)
        if not group or group["processes"] < self.wanted:
            raise BenchError(f"{self.server.name}: ksmalloc report does not know all workers: {group}")
        if (group["layout"] != self.way.layout) or group["apart"]:
            raise BenchError(f"{self.server.name}: the layout is not {self.way.layout}: {group}")

    def check_same(self):
        """The processes are the ones that came up: none died or was replaced, and what was added is gone in a moment."""
        self.check_alive()
        end = time.monotonic() + HELPER_SECONDS
        while (found := self.pids()) != self.seen:
            if time.monotonic() > end:
                raise BenchError(f"{self.server.name}: processes changed: {self.seen} became {found}" + self.last_words())
            time.sleep(0.1)

    def check_alive(self):
        for master in self.masters:
            if master.poll() is not None:
                raise BenchError(f"{self.server.name} ended with {master.returncode}"
                                 + self.last_words())

    # ---- what is asked ---------------------------------------------------------------------

    def pids(self):
        return processes.tree([master.pid for master in self.masters])

    def rollup(self):
        return memory.group_rollup(self.pids())

    def share(self):
        """Has all make passes until nothing more is gained. What they and the store use then, and why some stand aside."""
        for arguments in (["share", f"--wait={SHARE_SECONDS}", self.group],
                          ["report", "--json", "--all", self.group]):
            words = [*self.server.become(), self.bench.tool(), *arguments]
            done = subprocess.run(words, env=environment(self.folder), capture_output=True, text=True, check=False,
                                  timeout=10 * SHARE_SECONDS)
        if done.returncode:
            raise BenchError(f"ksmalloc report: {done.stderr.strip()}")
        found = json.loads(done.stdout)
        return found["totals"], {row["words"]: row["processes"] for row in found["aside"]}

    def last_words(self):
        self.log.seek(0)
        lines = [line.strip() for line in self.log if line.strip()]
        return ": " + " | ".join(lines[-4:]) if lines else ""

    # ---- down ------------------------------------------------------------------------------

    def end(self):
        """Asks the masters to end, waits for all, and kills and returns what is left."""
        pids = self.pids()
        self.server.hang_up(self)
        processes.kill([master.pid for master in self.masters if master.poll() is None],
                       self.server.end_signal)
        end = time.monotonic() + END_SECONDS
        for master in self.masters:
            try:
                master.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        left = processes.wait_gone(pids, 5)
        processes.kill(left)
        for master in self.masters:
            master.wait()
        processes.wait_gone(left, 5)
        self.log.close()
        return left


def ask(running, count):
    """Sends requests on twice as many connections as there are workers; returns all answers."""
    def one(number):
        return running.server.request(running, running.ports[number % len(running.ports)], number)

    pool = concurrent.futures.ThreadPoolExecutor(2 * running.wanted)
    try:
        return list(pool.map(one, range(count)))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BenchError(f"{running.server.name}: a request failed: {error!r}"
                         + running.last_words()) from error
    finally:
        pool.shutdown(cancel_futures=True)  # Who is interrupted does not wait for the rest.


def warm_up(running):
    """A fixed number of requests, distributed by the service; more only if a worker got none. Then nothing for a while."""
    running.server.wait(running)
    answers = []
    for _ in range(10):
        answers += running.server.ask(running, running.bench.options.requests * running.wanted)
        if len({answer["pid"] for answer in answers}) >= running.wanted:
            break
        time.sleep(1)
    running.accept(answers)
    time.sleep(IDLE_SECONDS)


def count_requests(running, seconds, at_once=None):
    """Requests a second, sent from here: for servers that speak something else than HTTP, or that only one program can ask."""
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        count += len(running.server.ask(running, at_once or 10 * running.wanted))
    return count / (time.monotonic() - begin)


def stream_requests(running, seconds):
    """The same on as many connections as wrk has: each is asked again at once, so that no worker waits for the last of a turn."""
    def one(index):
        count, number = 0, index
        while time.monotonic() < end:
            running.server.request(running, running.ports[number % len(running.ports)], number)
            count += time.monotonic() < end
            number += running.connections
        return count

    end = time.monotonic() + seconds
    with concurrent.futures.ThreadPoolExecutor(running.connections) as pool:
        try:
            return sum(pool.map(one, range(running.connections))) / seconds
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BenchError(f"{running.server.name}: a request failed: {error!r}" + running.last_words()) from error


def speed(running, seconds):
    """Requests a second as wrk counts them, on as many connections at once as a busy service has.

    Each request is a connection of its own. One that is kept stays with the worker that was first to take it, and often that
    was one worker for all of them: what is measured then is how many processors the service happened to use.
    """
    words = ["wrk", "-t1", f"-c{running.connections}", f"-d{seconds:g}s", "--timeout", "20s", "-H", "Connection: close",
             f"http://127.0.0.1:{running.ports[0]}/?n=1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment("/"))
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", done.stdout)
    if done.returncode or not match or float(match[1]) == 0 or bad:
        raise BenchError(f"{running.server.name}: wrk: {done.stdout.strip()} {done.stderr.strip()}")
    return float(match[1])
