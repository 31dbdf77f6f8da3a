# SPDX-License-Identifier: BSD-2-Clause
"""Test suites of other people's programs: how each is had, run, and what its tests came to."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

from lib import sources
from lib.harness import PYTHON, BenchError, need

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
WHOLE = "(all)"  # of a file
UNKNOWN = "?"    # a file
PATIENCE = 3600  # seconds for a whole run
WORST = (SKIPPED, PASSED, FAILED)


def worse(one, other):
    return max(one, other, key=WORST.index)


class Suite:
    """What all have: units, files of tests, of which some can be run alone; outcomes are those of single tests."""

    name = ""
    units = ()     # that are run where no others are asked for
    options = ()   # of `ksmalloc run`
    known = {}     # tests that see what sharing is made of: why

    def prepare(self):
        """Fetches what is needed, once."""

    def run(self, units, folder, prefix, jobs, environment):
        """Runs these units in a folder of their own, each program behind the prefix: outcomes by (unit, test)."""
        raise NotImplementedError

    @staticmethod
    def call(command, folder, environment):
        with open(folder / "output", "w", encoding="utf-8", errors="replace") as output:
            try:
                return subprocess.run([str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                      stderr=subprocess.STDOUT, env=environment, timeout=PATIENCE, check=False).returncode
            except subprocess.TimeoutExpired as error:
                raise BenchError(f"{command[0]} has not ended within {PATIENCE} s") from error

    @staticmethod
    def said(folder):
        return (folder / "output").read_text(encoding="utf-8", errors="replace")


class CPython(Suite):
    """`python3 -m test`, as Debian has it."""

    name = "cpython"
    units = tuple("""
        test_mmap test_threading test_subprocess test_signal test_io test_ctypes test_gc test_json test_pickle test_re
        test_socket test_ssl test_os test_posix test_select test_selectors test_poll test_epoll test_queue test_thread
        test_faulthandler test_array test_bytes test_memoryview test_buffer test_list test_dict test_zlib test_sqlite3
        test_resource test_fork1 test_capi test_embed test_asyncio test_multiprocessing_fork test_multiprocessing_spawn
        test_multiprocessing_forkserver test_concurrent_futures test_set test_unicode test_long test_struct test_bz2
        test_lzma test_hashlib test_weakref test_tracemalloc test_generators test_coroutines test_asyncgen test_exceptions
        test_threading_local test_threadsignals test_sys test_sys_settrace test_traceback test_tempfile test_shutil
        test_pty test_popen test_httpservers test_socketserver test_xmlrpc test_logging test_decimal test_datetime
        test_random test_sort test_deque test_itertools test_functools test_collections test_xml_etree_c test_pyexpat
        test_file test_fileio test_largefile test_memoryio test_bufio test_univnewlines test_cmd_line test_venv
        """.split())
    known = {
        "test_pass_fds_redirected": "it lists the descriptors of a process, of which sharing has some from 700 on",
        "test_child_fd_inflation": "it compares the number of descriptors of processes, which sharing changes",
    }

    def prepare(self):
        if subprocess.run([PYTHON, "-c", "import test.test_bytes"], stderr=subprocess.DEVNULL, check=False).returncode:
            raise BenchError("CPython's tests are missing: apt install libpython3.11-testsuite, or packaging/install-packages test")

    def run(self, units, folder, prefix, jobs, environment):
        results = folder / "results.xml"
        self.call([*prefix, PYTHON, "-m", "test", "--junit-xml", results, "--tempdir", folder, f"-j{jobs}", "--timeout", "400",
                   *units], folder, environment)
        outcomes = {}
        for unit, said in re.findall(r"^\S+ .*?\] (test_\w+) (\w+)", self.said(folder), re.MULTILINE):
            outcomes[unit, WHOLE] = {"passed": PASSED, "skipped": SKIPPED}.get(said, FAILED)
        if not results.exists():
            return outcomes
        try:
            cases = xml.etree.ElementTree.parse(results).iter("testcase")
        except xml.etree.ElementTree.ParseError:  # It has ended before it was written.
            return outcomes
        for case in cases:
            test = case.get("name")
            unit = self.unit_of(test, units)
            failed = case.find("failure") is not None or case.find("error") is not None
            key = (unit, test)
            outcome = FAILED if failed else SKIPPED if case.find("skipped") is not None else PASSED
            outcomes[key] = worse(outcomes.get(key, SKIPPED), outcome)
        return outcomes


    @staticmethod
    def unit_of(test, units):
        """The file that a test is of, of which modules it takes tests from may have other names, as test.datetimetester."""
        words = [word.removeprefix("test_") for word in test.split(".")[:2] if word != "test"]
        names = {unit.removeprefix("test_"): unit for unit in units}
        for word in words:
            if word in names:
                return names[word]
        for word in words:
            for name, unit in names.items():
                if word.startswith(name) or name.startswith(word):
                    return unit
        return UNKNOWN


class Redis(Suite):
    """runtest, with the servers and clients that are installed."""

    name = "redis"
    programs = ("redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb", "redis-sentinel")
    first_port = 21111

    def prepare(self):
        for name in self.programs[:1]:
            need(name, "redis-server")
        need("redis-cli", "redis-tools")
        need("tclsh", "tcl")
        self.tree = sources.unpack("redis", ["*/runtest", "*/redis.conf", "*/sentinel.conf", "*/tests/*", "*/utils/*"])

    @property
    def units(self):
        listed = re.search(r"set ::all_tests \{(.*?)\}", (self.tree / "tests/test_helper.tcl").read_text(encoding="utf-8"), re.DOTALL)
        return tuple(listed.group(1).split())

    def run(self, units, folder, prefix, jobs, environment):
        port, Redis.first_port = Redis.first_port, Redis.first_port + 8000 if Redis.first_port < 37000 else 21111
        tree = folder / "tree"
        shutil.copytree(self.tree, tree, symlinks=True)
        (tree / "src").mkdir(exist_ok=True)
        for name in self.programs:
            path = shutil.which(name)
            if path:
                (tree / "src" / name).symlink_to(path)
        chosen = [word for unit in units for word in ("--single", unit)]
        self.call([*prefix, "/usr/bin/tclsh", tree / "tests/test_helper.tcl", "--clients", jobs, "--baseport", port, "--portcount", 7000,
                   "--timeout", 600, *chosen], tree, environment)
        (tree / "output").rename(folder / "output")
        said = re.sub(r"\x1b\[[0-9;]*m", "", self.said(folder))
        outcomes = {}
        words = {"ok": PASSED, "err": FAILED, "exception": FAILED, "ignore": SKIPPED, "skip": SKIPPED}
        for word, test in re.findall(r"^\[(ok|err|exception|ignore|skip)\]: (.*?)(?: \(\d+ ms\)| in tests/.*)?$", said, re.MULTILINE):
            key = (self.unit_of(test, units), re.sub(r"\b\d+\b", "N", test))
            outcomes[key] = worse(outcomes.get(key, SKIPPED), words[word])
        for unit in set(units) & set(re.findall(r"^\[\d+/\d+ done\]: (\S+)", said, re.MULTILINE)):
            outcomes[unit, WHOLE] = PASSED
        for unit in units:
            outcomes.setdefault((unit, WHOLE), FAILED)
        return outcomes

    def unit_of(self, test, units):
        """Tests do not say where they come from: the file that has their words."""
        if not hasattr(self, "texts"):
            self.texts = {}
        for unit in (*units, *self.units):
            if unit not in self.texts:
                self.texts[unit] = (self.tree / "tests" / f"{unit}.tcl").read_text(encoding="utf-8", errors="replace")
            if test[:24] in self.texts[unit]:
                return unit
        return units[0]


class Php(Suite):
    """run-tests.php, with the php that is installed, which may be a little newer than the tests."""

    name = "php"
    units = ("Zend/tests", "tests", "ext/spl/tests", "ext/standard/tests/array", "ext/standard/tests/strings",
             "ext/standard/tests/file", "ext/standard/tests/streams", "ext/standard/tests/serialize", "ext/date/tests", "ext/pcre/tests")
    options = ("--set", "share_mappings=php*")

    def prepare(self):
        need("php", "php-cli")
        self.tree = sources.unpack("php8.2", ["*/run-tests.php", "*/tests"])

    def run(self, units, folder, prefix, jobs, environment):
        tree = folder / "tree"
        shutil.copytree(self.tree, tree, symlinks=True)
        results = folder / "results"
        self.call([*prefix, shutil.which("php"), "run-tests.php", "-q", f"-j{jobs}" if jobs > 1 else "-q", "--offline", "-p",
                   shutil.which("php"), "--set-timeout", 120, "-W", results, *units], tree, environment)
        (tree / "output").rename(folder / "output")
        words = {"PASSED": PASSED, "FAILED": FAILED, "BORKED": FAILED, "LEAKED": FAILED, "WARNED": PASSED}
        outcomes = {}
        for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
            word, _, test = line.partition("\t")
            test = os.path.relpath(test, tree)
            outcomes[test, test] = words.get(word, SKIPPED)
        return outcomes


class Node(Suite):
    """test/parallel of Debian's node, each file by itself, with the node that is installed, which may be another version."""

    name = "node"
    options = ("--set", "share_mappings=node")
    seconds = 120  # for one file

    def prepare(self):
        need("node", "nodejs")
        self.tree = sources.unpack("nodejs", ["*/test/parallel/*", "*/test/common/*", "*/test/fixtures/*", "*/test/es-module/*"])

    @property
    def units(self):
        return tuple(sorted(path.stem for path in (self.tree / "test/parallel").glob("test-*.js")))

    def run(self, units, folder, prefix, jobs, environment):
        tree = folder / "tree"
        shutil.copytree(self.tree, tree, symlinks=True)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            places = {unit: f"{place}" for place, unit in enumerate(units)}
            found = pool.map(lambda unit: self.run_one(tree, unit, prefix, dict(environment, TEST_THREAD_ID=places[unit])), units)
            return {(unit, unit): outcome for unit, outcome in zip(units, found)}

    def run_one(self, tree, unit, prefix, environment):
        path = tree / "test/parallel" / f"{unit}.js"
        flags = re.findall(r"^// Flags: (.*)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        command = [*prefix, shutil.which("node"), *(word for line in flags for word in line.split()), path]
        with open(path.with_suffix(".output"), "wb") as output:
            with subprocess.Popen([str(word) for word in command], cwd=tree, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, env=environment, start_new_session=True) as process:
                try:
                    status = process.wait(self.seconds)
                except subprocess.TimeoutExpired:
                    status = -1
                self.end_all(process)
        return PASSED if status == 0 else FAILED

    @staticmethod
    def end_all(process):
        """What a file has left behind, too."""
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass


SUITES = {suite.name: suite for suite in (CPython(), Redis(), Php(), Node())}
