# SPDX-License-Identifier: BSD-2-Clause
"""What bench/share sees of a group that shares pages by itself: memory, the store, passes, the keeper."""

import array
import contextlib
import errno
import os
import pathlib
import random
import re
import signal
import subprocess
import time

from lib import memory, processes, programs, servers, services, shared
from lib.harness import BenchError
from lib.merging import PAGE
from lib.shared import Workload
from lib.workers import Group

STORE = "/memfd:ksmalloc-store"
MARKER = "/memfd:ksmalloc-segment "
STEP_SECONDS = 0.02
REQUESTS = 100000
WRK_SECONDS = 2
IN_MEMORY_OR_SWAP, OF_FILE = 3 << 62, 1 << 61  # /proc/PID/pagemap


class Redis(Workload):
    """Servers that were sent the same commands over a socket. Their tables differ: each draws a key for its hashes."""

    def __init__(self):
        needs = [("redis-server", "redis-server"), ("redis-cli", "redis-tools"), ("redis-benchmark", "redis-tools")]
        super().__init__("redis", 8, [200000], [], needs, profile=False)

    def prepare(self, folder, scale):
        super().prepare(folder, scale)
        count = max(1, round(self.sizes[0] * scale))
        draw = random.Random(5)
        with open(folder / "redis.commands", "w", encoding="ascii") as file:
            file.writelines(f"SET key:{number:012} {draw.randbytes(100).hex()}\r\n" for number in range(count))

    def open(self, _):
        return Servers()


class Web(Workload):
    """Servers that speak HTTP, each with one worker and 50,000 records from JSON."""

    def __init__(self, server):
        super().__init__(server.name, 4, [50000], [], [*server.needs, ("wrk", "wrk")], profile=False)
        self.server = server
        self.profile = server.profile

    def prepare(self, folder, scale):
        super().prepare(folder, scale)
        services_data = folder / "data"
        services_data.mkdir(exist_ok=True)
        if not (folder / "apps").exists():
            (folder / "apps").symlink_to(servers.FOLDER)
        self.server.prepare(folder, scale)

    def open(self, folder):
        return Sites(self.server, folder)


class Servers:
    """Redis servers instead of a lib.workers.Group; use as a context manager."""

    def __init__(self):
        self.workers = []
        self.ports = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for server in self.workers:
            server.terminate()
        for server in self.workers:
            server.wait()

    def start_all(self, prefix, environment, count, apart, commands):
        for index in range(count):
            if index:
                time.sleep(apart)
            port, server = programs.start_redis(environment, prefix)
            self.workers.append(server)
            self.ports.append(port)
            with open(commands, "rb") as file:
                subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(port), "--pipe"], stdin=file, check=True,
                               stdout=subprocess.DEVNULL, env=programs.without_preload(environment))

    def pids(self):
        return [server.pid for server in self.workers]

    def check_alive(self):
        for server in self.workers:
            if server.poll() is not None:
                raise BenchError(f"redis-server {server.pid} died with {server.returncode}")

    def rate(self, bench):
        """Requests a second of the first server, for keys that it has."""
        keys = max(1, round(WORKLOADS["redis"].sizes[0] * bench.options.scale))
        done = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.ports[0]), "-t", "get", "-c", "10",
                               "-n", str(REQUESTS), "-r", str(keys), "--csv"], capture_output=True, text=True,
                              check=True, env=bench.allocators.environment("glibc"))
        match = re.search(r'^"GET","([\d.]+)"', done.stdout, re.M)
        if not match or float(match[1]) == 0:
            raise BenchError(f"redis-benchmark said {done.stdout!r}")
        return float(match[1])


class Sites(Servers):
    """Web servers: a master and a worker each. wrk counts what the first one answers."""

    def __init__(self, server, folder):
        super().__init__()
        self.server, self.folder = server, folder

    def start_all(self, prefix, environment, count, apart, _):
        environment = dict(environment, **self.server.environment(self.folder))
        for index in range(count):
            if index:
                time.sleep(apart)
            port = programs.free_port()
            self.workers.append(subprocess.Popen(prefix + self.server.command(self.folder, port, 1, False), cwd="/",
                                                 env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self.ports.append(port)
            programs.wait_for_port(port, self.workers[-1])
        for port in self.ports:  # It answers when it has loaded.
            services.get(port, 1)

    def pids(self):
        return processes.tree([server.pid for server in self.workers])

    def rate(self, bench):
        done = subprocess.run(["wrk", "-t1", "-c4", f"-d{WRK_SECONDS}s", f"http://127.0.0.1:{self.ports[0]}/?n=1"],
                              capture_output=True, text=True, check=False, env=bench.allocators.environment("glibc"))
        match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        if not match or float(match[1]) == 0 or re.search("Non-2xx|Socket errors", done.stdout):
            raise BenchError(f"{self.server.name}: wrk said {done.stdout!r} {done.stderr!r}")
        return float(match[1])


# The first two wait in poll(2), the interpreters in read(2).
WORKLOADS = {workload.name: workload for workload in (
    Workload("c", 8, [160], ["BUILD/share-worker"], [], profile=False),
    Workload("threads", 8, [160], ["BUILD/share-worker", "--thread"], [], profile=False),
    *(shared.WORKLOADS[name] for name in ("python", "lua", "php", "node", "java")),
    Redis(),
    Web(servers.Gunicorn("gunicorn", "small:application")),
    Web(servers.NodeCluster("node-http")),
)}


@contextlib.contextmanager
def workplace(bench, chosen):
    """A folder with the data of these workloads."""
    with shared.scratch() as folder:
        for workload in chosen:
            workload.prepare(folder, bench.options.scale)
        yield folder


def group_of(workload, folder):
    return workload.open(folder) if is_server(workload) else Group(folder / "errors")


def is_server(workload):
    return isinstance(workload, (Redis, Web))


def start(bench, group, workload, way, folder, name):
    """Starts all workers, and returns when the last one has loaded, on the clock of time.monotonic()."""
    count, apart = bench.options.workers, bench.options.apart
    prefix, environment = way.prefix(bench, workload, name), way.environment(bench, workload, folder)
    if is_server(workload):
        if way.baseline and isinstance(workload, Redis):
            environment = programs.without_its_own_allocator(environment)
        group.start_all(prefix, environment, count, apart, folder / "redis.commands")
    else:
        build = str(pathlib.Path(bench.program("share-worker")).parent)
        words = [word.replace("BUILD", build) for word in workload.command(folder, bench.options.scale)]
        group.start_all([prefix + words] * count, environment, apart)
        said = (folder / "errors").read_text(encoding="utf-8", errors="replace")
        if "works without it" in said:  # Then it is not what the column says.
            raise BenchError(f"{workload.name}: {said.splitlines()[0]}")
    ready = time.monotonic()
    shared.check_shared(group.pids())
    return ready


# ---- memory --------------------------------------------------------------------------------------

def own_bytes(pid):
    """Pss without the store's pages: of its mappings, what was copied by a write."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace")
    total = 0
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M):
        name = "Anonymous" if STORE in part.partition("\n")[0] else "Pss"
        match = re.search(rf"^{name}:\s+(\d+) kB$", part, re.M)
        total += int(match.group(1)) * 1024 if match else 0
    return total


def store_files(pids):
    """The store's files that these processes have open, by inode: a path to each, and its memory."""
    files = {}
    for pid in pids:
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(entry).startswith(STORE):
                    facts = os.stat(entry)
                    files[facts.st_ino] = (entry, facts.st_blocks * 512)
            except FileNotFoundError:
                continue  # It was closed meanwhile.
    return files


def store_bytes(pids):
    return sum(size for _, size in store_files(pids).values())


def data_of(path):
    """The pages that a file has, by their numbers."""
    found = set()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return found  # It was closed meanwhile.
    try:
        end = 0
        while True:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
            end = os.lseek(descriptor, begin, os.SEEK_HOLE)
            found.update(range(begin // PAGE, -(-end // PAGE)))
    except OSError as error:
        if error.errno != errno.ENXIO:  # There is no more data.
            raise
    finally:
        os.close(descriptor)
    return found


def seen_pages(pid):
    """The store's pages that a process sees, by its files' inodes: those that it maps and has not copied."""
    seen = {}
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            if STORE not in line:
                continue
            places, _, offset, _, inode, *_ = line.split()
            begin, end = (int(address, 16) // PAGE for address in places.split("-"))
            entries = array.array("Q", os.pread(pagemap.fileno(), (end - begin) * 8, begin * 8))
            first = int(offset, 16) // PAGE
            # A copy is present or in swap, and is not a page of a file.
            seen.setdefault(int(inode), set()).update(
                first + i for i, entry in enumerate(entries) if not entry & IN_MEMORY_OR_SWAP or entry & OF_FILE)
    return seen


def wasted_bytes(pids):
    """Memory of the store that nobody sees."""
    seen, files = {}, store_files(pids)
    for pid in pids:
        for inode, pages in seen_pages(pid).items():
            seen.setdefault(inode, set()).update(pages)
    return PAGE * sum(len(data_of(path) - seen.get(inode, set())) for inode, (path, _) in files.items())


def mappings(pids):
    """The mappings of a worker, on average."""
    return sum(len(pathlib.Path(f"/proc/{pid}/maps").read_bytes().splitlines()) for pid in pids) / len(pids)


# ---- passes --------------------------------------------------------------------------------------

class Counters:
    """What a worker's segment says of its passes. Whoever reads it has to be its parent where Yama is on."""

    def __init__(self, offsets, pid):
        self.offsets = offsets
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
        line = next((line for line in maps.splitlines() if MARKER in line), None)
        if not line:
            raise BenchError(f"worker {pid} has no segment")
        self.base = int(line.split()[0].partition("-")[2], 16)
        self.memory = open(f"/proc/{pid}/mem", "rb", buffering=0)

    def __getitem__(self, name):
        data = os.pread(self.memory.fileno(), 8, self.base + self.offsets[name])
        return int.from_bytes(data, "little")

    def close(self):
        self.memory.close()


def offsets(bench):
    done = subprocess.run([bench.program("share-layout")], capture_output=True, text=True, check=True)
    return {name: int(offset) for name, offset in map(str.split, done.stdout.splitlines())}


class Watch:
    """Records what workers have given up for the store's pages, until nothing more comes."""

    def __init__(self, bench, pids, begin):
        """begin: when the last of them was ready, on the clock of time.monotonic()."""
        self.begin = begin
        where = offsets(bench)
        self.pids = pids
        self.counters = [Counters(where, pid) for pid in pids]
        self.spent_before = self.total("work_us_total") / 1e6 - cpu_seconds(pids)
        self.points = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for counters in self.counters:
            counters.close()

    def total(self, name):
        return sum(counters[name] for counters in self.counters)

    def spent(self):
        """Processor time of the workers since then, who do nothing but share; before that, what their steps took."""
        return self.spent_before + cpu_seconds(self.pids)

    def passes(self):
        return [counters["passes_total"] for counters in self.counters]

    def run(self, calm, limit):
        """Until each worker has made a whole pass, and some seconds have gone, and nothing more was shared.

        Says whether it came to that before the limit.
        """
        state, changed, passes = None, 0.0, []
        while True:
            seconds, gained = time.monotonic() - self.begin, self.total("gained_bytes_total")
            self.points.append((seconds, gained))
            if state != (gained, self.total("published_bytes_total")):
                state = (gained, self.total("published_bytes_total"))
                changed, passes = seconds, self.passes()
            # The first pass that ends may have begun before.
            if gained and seconds - changed > calm and all(now >= then + 2 for now, then in zip(self.passes(), passes)):
                return True
            if seconds > limit:
                return False
            time.sleep(STEP_SECONDS)

    def seconds_to(self, part):
        """When that part of what was given up in the end had been."""
        wanted = part * self.points[-1][1]
        return next(seconds for seconds, gained in self.points if gained >= wanted)


# ---- the keeper ----------------------------------------------------------------------------------

def keepers(folder, group):
    """Those that `ksmalloc run --share` has started for a group whose seed lies in this folder."""
    found = []
    for pid in processes.parents():
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            settings = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:2] == ["keep"] and group in words and f"XDG_RUNTIME_DIR={folder}".encode() in settings:
            found.append(pid)
    return found


@contextlib.contextmanager
def keeper_of(folder, group):
    """The keeper of what is started inside ends with it; it would wait for other workers for some seconds."""
    try:
        yield
    finally:
        found = keepers(folder, group)
        processes.kill(found, signal.SIGTERM)
        left = processes.wait_gone(found, 10)
        if left:
            processes.kill(left)


def cpu_seconds(pids):
    """The time that all threads of these processes have run, but of those that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{pid}/task"):
                total += memory.cpu_ns(f"{pid}/task/{task}")
    return total / 1e9
