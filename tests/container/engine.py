# SPDX-License-Identifier: BSD-2-Clause
"""podman with a storage of its own, as root or as another user, for the tests of containers and for bench/container."""
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE, BUILD = os.environ["KSM_SOURCE"], os.environ["KSM_BUILD"]
FOLDERS = ("/usr", "/lib", "/lib64", "/bin")  # of this machine, which the containers read
MIB = 1 << 20
NOBODY = 65534
SECCOMP = SOURCE + "/examples/container/seccomp.json"
VERSION = subprocess.run([BUILD + "/ksmalloc", "version"], capture_output=True, text=True, check=True).stdout.split()[1]
INIT, SIDECAR = f"localhost/ksmalloc-init:{VERSION}", f"localhost/ksmalloc-sidecar:{VERSION}"
CONFIGURATION = """[containers]
{limits}netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


def fail(what):
    sys.exit(f"FAILED: {what}")


def expect(holds, what):
    if not holds:
        fail(what)


def skip(why):
    print("skipped:", why, file=sys.stderr)
    sys.exit(77)


def wait_until(holds, what, seconds=90):
    """What holds is asked for again and again; load of the machine makes it take longer, no more."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            fail(what() if callable(what) else what)
        time.sleep(0.5)


def volume_of(image):
    """What the volume of an image is called that is not ksmalloc-init:TAG, with all letters small: with FNV-1a of its whole name."""
    value = 2166136261
    for byte in image.encode():
        value = (value ^ byte) * 16777619 % (1 << 32)
    return image.rpartition("/")[2].replace(":", "-").replace("@", "-") + f"-{value:08x}"


class Engine:
    """Everything below one folder, which end() removes."""

    def __init__(self, rootless=False):
        # podman takes no long path.
        self.folder = tempfile.mkdtemp(prefix="ksmalloc-pods.", dir="/tmp")
        self.name = os.path.basename(self.folder).replace(".", "-").lower()
        self.group = self.name
        self.prepared = volume_of(INIT)
        for path in ("run", "home", "app/proc", "app/sys", "app/dev", "app/etc", "app/run", "app/tmp", "app/ksmalloc", "app/load",
                     *("app" + folder for folder in FOLDERS)):
            os.makedirs(f"{self.folder}/{path}")
        shutil.copy(os.path.dirname(os.path.abspath(__file__)) + "/worker.py", self.folder + "/app/load/worker.py")
        with open(self.folder + "/containers.conf", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(limits="" if rootless else 'default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'))
        os.chmod(self.folder + "/run", 0o700)
        self.before = self.make_user() if rootless else []
        self.podman = [*self.before, "env", "HOME=" + self.folder + "/home", "TMPDIR=" + self.folder + "/run",
                       "XDG_RUNTIME_DIR=" + self.folder + "/run", "CONTAINERS_CONF=" + self.folder + "/containers.conf", "podman",
                       "--root", self.folder + "/storage", "--runroot", self.folder + "/state", "--storage-driver", "vfs"]

    def make_user(self):
        """nobody, with ids of its own to hand out: the files that say so are seen by these processes only."""
        for name in ("subuid", "subgid"):
            with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
                file.write("nobody:300000:65536\n")
        for path, _, files in os.walk(self.folder):
            for entry in (path, *(f"{path}/{file}" for file in files)):
                os.chown(entry, NOBODY, NOBODY)
        mounts = "for name in subuid subgid; do [ -e /etc/$name ] || exit 77; mount --bind \"$0/$name\" /etc/$name || exit 77; done; exec \"$@\""
        return ["unshare", "--mount", "sh", "-c", mounts, self.folder, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                "--clear-groups", "--inh-caps=-all"]

    def try_to(self, *words, **options):
        return subprocess.run([*self.podman, *words], capture_output=True, text=True, check=False, timeout=200, cwd="/", **options)

    def do(self, *words, **options):
        done = self.try_to(*words, **options)
        expect(done.returncode == 0, f"podman {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def load(self):
        """An engine that starts nothing at all here is no fault of the images'."""
        for name in ("init", "sidecar"):
            path = f"{BUILD}/images/ksmalloc-{name}.tar"
            shutil.copy(path, self.folder)
            os.chmod(f"{self.folder}/ksmalloc-{name}.tar", 0o644)
            done = self.try_to("load", "--quiet", "--input", f"{self.folder}/ksmalloc-{name}.tar")
            if done.returncode:
                skip("podman cannot load an image here: " + done.stderr.strip().rpartition("\n")[2])
        done = self.try_to("run", "--rm", *self.mounts(), "--rootfs", self.folder + "/app", "/bin/true")
        if done.returncode:
            skip("podman starts no container here: " + done.stderr.strip().rpartition("\n")[2])

    def app_image(self):
        """The application as an image, beside those that are loaded."""
        self.load()
        with open(self.folder + "/app.containerfile", "w", encoding="utf-8") as file:
            file.write("FROM scratch\nCOPY . /\n")
        self.do("build", "--quiet", "--isolation", "chroot", "--tag", "localhost/app:1", "--file", self.folder + "/app.containerfile",
                self.folder + "/app")

    def play(self, path):
        """`podman kube play` of a pod's definition, its init containers first, as a cluster starts it. podman 4.3 does not see the end of
        one that it starts itself: it waits for 20 seconds, and sometimes on and on. So they are run with what the definition says of
        them, and what is played is the rest, with the volumes that they have filled."""
        with open(path, encoding="utf-8") as file:
            definition = json.load(file)
        spec = definition["spec"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for container in spec.pop("initContainers", []):
            self.run_to_its_end(container, volumes)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file)
        self.do("kube", "play", path)

    def run_to_its_end(self, container, volumes):
        context, options = container["securityContext"], []
        expect(set(context) <= {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "runAsUser"}, context)
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if volume.pop("emptyDir", None) is not None:
                volume["persistentVolumeClaim"] = {"claimName": f"{self.name}-{mount['name']}"}
            options.append(f"--volume={volume['persistentVolumeClaim']['claimName']}:{mount['mountPath']}")
        options += ["--cap-drop=" + name for name in context["capabilities"]["drop"]]
        options += ["--read-only"] * context["readOnlyRootFilesystem"]
        options += ["--security-opt=no-new-privileges"] * (not context["allowPrivilegeEscalation"])
        if "runAsUser" in context:
            options.append(f"--user={context['runAsUser']}")
        self.do("run", "--rm", *options, container["image"], *container.get("args", []))

    def mounts(self):
        return [f"--volume={folder}:{folder}:ro" for folder in FOLDERS]

    def fill(self, volume="ksmalloc"):
        """The init image, as before the pod's other containers."""
        return self.try_to("run", "--rm", f"--volume={volume}:/volume", INIT)

    def prepare(self, command, engine="podman"):
        """The volume that is ready before anything starts, as `ksmalloc inject --prepare` has it made; once more changes nothing."""
        made = subprocess.run([command, "inject", "--prepare", "--init-image=" + INIT, engine], capture_output=True, text=True, check=True).stdout
        for _ in range(2):
            done = subprocess.run(["/bin/sh", "-e"], input=made, capture_output=True, text=True, check=False, timeout=200, cwd="/",
                                  env={"PATH": f"{self.script(engine)}:{os.environ['PATH']}"})
            expect(done.returncode == 0, (made, done))
        self.do("volume", "exists", self.prepared)

    def script(self, name):
        """The folder of a program of this name that executes our podman, and not itself where it is in front of it."""
        folder = self.folder + "/bin"
        words = [shutil.which("podman") if word == "podman" else word for word in self.podman]
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec {shlex.join(words)} \"$@\"\n")
        os.chmod(f"{folder}/{name}", 0o755)
        return folder

    def pod(self):
        self.do("pod", "create", "--name", self.name, "--share", "pid,ipc")

    def app(self, *command, name="app", options=(), share=True, library="--volume=ksmalloc:/ksmalloc:ro", more=""):
        start = f"--share --group={self.group} --profile=auto --quiet{more}" if share else f"--group={self.group}"
        return self.do("run", "--detach", "--pod", self.name, "--name", f"{self.name}-{name}", *self.mounts(), library,
                       "--env=LD_PRELOAD=/ksmalloc/libksmalloc-start.so", f"--env=KSMALLOC_START={start}", *options, "--rootfs",
                       self.folder + "/app", *(command or ("/usr/bin/python3", "/load/worker.py")))

    def sidecar(self, *options, words=()):
        return self.do("run", "--detach", "--pod", self.name, "--name", self.name + "-sidecar", "--read-only", *options, SIDECAR,
                       "--group=" + self.group, *words)

    def more_workers(self, count):
        for _ in range(count):
            self.do("exec", "--detach", self.name + "-app", "/usr/bin/python3", "/load/worker.py")

    def processes(self, name):
        """Of a container, by its mounts, since a pod's containers have their processes in common: the machine's numbers, and the words."""
        mounts, found = os.readlink(f"/proc/{self.pid(name)}/ns/mnt"), {}
        for path in glob.glob("/proc/[0-9]*"):
            try:
                if os.readlink(path + "/ns/mnt") == mounts:
                    with open(path + "/cmdline", encoding="utf-8", errors="replace") as file:
                        found[int(path[6:])] = file.read().split("\0")
            except OSError:
                continue
        return found

    def report(self, name="sidecar"):
        """What the sidecar says of the group; {} before there is one."""
        done = self.try_to("exec", f"{self.name}-{name}", "/ksmalloc", "report", self.group, "--json", "--no-symbols")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def logs(self, name):
        done = self.try_to("logs", f"{self.name}-{name}")
        return done.stdout + done.stderr

    def runs(self, name):
        return self.try_to("inspect", "--format", "{{.State.Running}}", f"{self.name}-{name}").stdout.strip() == "true"

    def pid(self, name):
        return int(self.do("inspect", "--format", "{{.State.Pid}}", f"{self.name}-{name}"))

    def get(self, path, name="sidecar"):
        """Of the exporter, in the network of its container."""
        code = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9838{path}', timeout=20).read().decode())"
        done = subprocess.run(["nsenter", "--target", str(self.pid(name)), "--net", "/usr/bin/python3", "-c", code], capture_output=True,
                              text=True, check=False)
        return done.stdout

    def end(self):
        self.try_to("pod", "rm", "--force", "--all", "--time", "0")
        # One whose namespaces another has is not removed before that one.
        for _ in range(2):
            self.try_to("rm", "--force", "--all", "--time", "0")
        # Of a user's containers a process stays that has their namespace.
        for pause in glob.glob(self.folder + "/run/libpod/tmp/pause.pid"):
            with open(pause, encoding="utf-8") as file:
                os.kill(int(file.read()), signal.SIGKILL)
        for _ in range(10):
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.2)
