# SPDX-License-Identifier: BSD-2-Clause
"""Starts workers under the library and reads what the kernel says about their memory."""
import os
import struct
import subprocess
import time

PAGE = 4096
KSM = "/sys/kernel/mm/ksm/"
# Of ksmalloc/segment.h: where the header has the table of tallies, which are so long.
TALLIES, TALLY_BYTES = 544, 64
HERE = os.path.dirname(os.path.abspath(__file__))


class Mapping:
    def __init__(self, begin, end, name):
        self.begin, self.end, self.name = begin, end, name
        self.flags = []
        self.kib = {}


class Worker:
    """One process with equal data in it."""

    def __init__(self, count, size, **environment):
        settings = dict(os.environ, LD_PRELOAD=os.environ["KSM_LIBRARY"], PYTHONDONTWRITEBYTECODE="1")
        settings.update(environment)
        self.process = subprocess.Popen([HERE + "/python-workers", str(count), str(size)], env=settings,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def expect(self, word):
        line = self.process.stdout.readline()
        if line != word + "\n":
            raise SystemExit(f"a worker said {line!r} instead of {word!r}")

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.expect("done")

    def stop(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit(f"a worker ended with {self.process.returncode}")

    def mappings(self):
        result = []
        with open(f"/proc/{self.pid}/smaps") as lines:
            for line in lines:
                words = line.split()
                if "-" in words[0] and not words[0].endswith(":"):
                    begin, end = (int(word, 16) for word in words[0].split("-"))
                    result.append(Mapping(begin, end, " ".join(words[5:])))
                elif words[0] == "VmFlags:":
                    result[-1].flags = words[1:]
                elif words[-1] == "kB":
                    result[-1].kib[words[0][:-1]] = int(words[1])
        return result

    def advised(self):
        """The mappings that are mergeable: the slots, and nothing else."""
        return [mapping for mapping in self.mappings() if "mg" in mapping.flags]

    def sites(self):
        """The advised mappings by the id of their site, which is the same in every process."""
        segment = self.segment()
        return self.join(segment) if segment else {}

    def segment(self):
        """The bytes of the segment: it lies behind its marker."""
        marked = None
        for mapping in self.mappings():
            if mapping.begin == marked:
                with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
                    memory.seek(mapping.begin)
                    return memory.read(mapping.end - mapping.begin)
            marked = mapping.end if "memfd:ksmalloc-segment" in mapping.name else None
        return None

    def live_pages(self):
        """Pages of blocks in slots: placed_bytes of the sites less what threads have freed and keep at hand."""
        segment = self.segment()
        offset, stride, _, count, _ = struct.unpack_from("QIIII", segment, 224)
        placed = sum(struct.unpack_from("Q", segment, offset + i * stride + 48)[0] for i in range(count))
        # The table of tallies stands behind the counters of the process; cached_bytes is a tally's.
        offset, stride, capacity, count, _ = struct.unpack_from("QIIII", segment, TALLIES)
        if stride != TALLY_BYTES or not count <= capacity or offset + count * stride > len(segment):
            fail("the table of tallies does not stand where it did (ksmalloc/segment.h)")
        cached = sum(struct.unpack_from("Q", segment, offset + i * stride + 40)[0] for i in range(count))
        return (placed - cached) // PAGE

    def join(self, segment):
        # The tables stand at byte 224 of the header (ksmalloc/segment.h): offset, stride, capacity, count.
        sites, slots = (struct.unpack_from("QIIII", segment, 224 + 24 * i) for i in range(2))
        result, advised = {}, {mapping.begin: mapping for mapping in self.advised()}
        for i in range(slots[3]):
            base, _, site, _ = struct.unpack_from("QQII", segment, slots[0] + i * slots[1])
            if base in advised:
                result[struct.unpack_from("Q", segment, sites[0] + site * sites[1])[0]] = advised[base]
        return result

    def merging_pages(self):
        with open(f"/proc/{self.pid}/ksm_merging_pages") as file:
            return int(file.read())

    def memory(self, mapping):
        """The resident pages of a mapping, by offset; pages that were never touched are left out."""
        with open(f"/proc/{self.pid}/pagemap", "rb") as pagemap, open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
            count = (mapping.end - mapping.begin) // PAGE
            pagemap.seek(mapping.begin // PAGE * 8)
            entries = struct.unpack(f"{count}Q", pagemap.read(count * 8))
            for index, entry in enumerate(entries):
                if entry >> 62:
                    memory.seek(mapping.begin + index * PAGE)
                    yield index, memory.read(PAGE)


def start(number, count, size, **environment):
    workers = [Worker(count, size, **environment) for _ in range(number)]
    for worker in workers:
        worker.expect("ready")
    return workers


def stop(workers):
    for worker in workers:
        worker.stop()


def ksm(name):
    with open(KSM + name) as file:
        return int(file.read())


def settle(workers, enough):
    """Lets the scanner work until enough() holds or three scans in a row changed nothing."""
    last, still = None, 0
    target = ksm("full_scans")
    deadline = time.monotonic() + 150
    while still < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        if ksm("full_scans") == target:
            continue
        target = ksm("full_scans")
        now = [worker.merging_pages() for worker in workers]
        still = still + 1 if now == last else 0
        last = now
        if enough():
            return True
    return enough()


def fail(text):
    raise SystemExit("FAILED: " + text)
