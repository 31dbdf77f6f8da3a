# SPDX-License-Identifier: BSD-2-Clause
"""Debian's source packages, unpacked into the cache that third_party/build uses, too."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from lib.harness import BenchError, need

CONFIGURATION = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{folder}/parts";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def cache():
    if os.environ.get("KSMALLOC_CACHE"):
        return pathlib.Path(os.environ["KSMALLOC_CACHE"])
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ksmalloc"


def archives():
    """What this machine has Debian's binary packages from, as deb-src entries. Nothing below /etc is changed."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(ORIGIN)", "Identifier: Packages"],
                          capture_output=True, text=True, check=False).stdout
    found = sorted({tuple(line.split()[:2]) for line in said.splitlines() if line.endswith(" Debian")})
    if not found:
        raise BenchError("apt knows no archive of Debian's, so that there are no sources to test with (apt-get update)")
    return "".join(f"deb-src [signed-by={KEYS}] {place} {suite} main\n" for place, suite in found)


class Apt:
    """An apt of our own, with lists and a cache of its own."""

    def __init__(self, folder):
        self.file = folder / "apt.conf"
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        self.file.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
        (folder / "parts" / "debian.list").write_text(archives(), encoding="utf-8")
        self.run("apt-get", "update")

    def run(self, program, *arguments, **settings):
        return subprocess.run([program, "-c", self.file, "-q", *arguments], capture_output=True, text=True, check=False,
                              **settings)

    def versions(self, package):
        """The newest one first: an archive may list one that it does not have any more."""
        lines = self.run("apt-cache", "showsrc", "--only-source", package).stdout.splitlines()
        found = {line.partition(" ")[2] for line in lines if line.startswith("Version: ")}
        ordered = []
        for version in found:
            place = sum(subprocess.run(["dpkg", "--compare-versions", other, "gt", version], check=False).returncode == 0
                        for other in found)
            ordered.append((place, version))
        return [version for _, version in sorted(ordered)]


def download(package, folder):
    """The upstream part of a source package: the file's path."""
    apt = Apt(folder / "apt")
    versions = apt.versions(package)
    for version in versions:
        done = apt.run("apt-get", "source", "--download-only", "--only-source", "--tar-only", f"{package}={version}", cwd=folder)
        upstream = version.rpartition(":")[2].rpartition("-")[0]
        for path in folder.glob(f"{package}_{upstream}.orig.tar.*"):
            if done.returncode == 0 or path.suffix in (".gz", ".xz", ".bz2"):
                return path
    raise BenchError(f"the archives of this machine have no source package '{package}'"
                     + (f" any more, though they list {', '.join(versions)} (apt-get update)" if versions else ""))


def unpack(package, patterns):
    """The folder with those parts of the newest source package that match the patterns; it is fetched once."""
    need("apt-get", "apt")
    need("tar", "tar")
    there = cache() / "suites" / package
    if there.exists():
        return there
    there.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching the source package {package}, once, into {there.parent}", flush=True)
    with tempfile.TemporaryDirectory(dir=there.parent, prefix=f"{package}.") as name:
        folder = pathlib.Path(name)
        archive = download(package, folder)
        (folder / "tree").mkdir()
        done = subprocess.run(["tar", "-xf", archive, "-C", folder / "tree", "--strip-components=1", "--wildcards", *patterns],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{archive.name} has another layout than expected: {done.stderr.strip().splitlines()[0]}")
        shutil.move(folder / "tree", there)
    return there
