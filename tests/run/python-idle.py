# SPDX-License-Identifier: BSD-2-Clause
"""Leaves holes in its memory and waits in one way. Says whether they are gone then; what lives must be as it was."""
import ctypes
import os
import select
import signal
import sys
import threading
import time

WAY = sys.argv[1]
COUNT = 200000


def anonymous():
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def poll(seconds, file=None):
    one = select.poll()
    if file is not None:
        one.register(file, select.POLLIN)
    return one.poll(None if seconds is None else seconds * 1000)


def epoll(seconds, file=None):
    with select.epoll() as one:
        if file is not None:
            one.register(file, select.EPOLLIN)
        return one.poll(seconds)


def select_one(seconds, file=None):
    return select.select([file] if file is not None else [], [], [], seconds)[0]


def write_later(file, seconds):
    def write():
        time.sleep(seconds)
        os.write(file, b"x")
    threading.Thread(target=write).start()


def forever():
    """Without an end but by what comes, which is long after pages have gone."""
    reader, writer = os.pipe()
    write_later(writer, 2.5)
    assert poll(None, reader)


def short():
    for _ in range(30):
        poll(.05)


def busy():
    """Something comes each time."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    for _ in range(30):
        assert poll(2, reader)
        poll(.05)


def elsewhere():
    """In another thread than the first one."""
    thread = threading.Thread(target=poll, args=(2.5,))
    thread.start()
    thread.join()


def with_threads():
    """Others make and free objects meanwhile, and look whether these stay as they are."""
    ends, bad = threading.Event(), []

    def work():
        while not ends.is_set():
            mine = [("t", i, str(i)) for i in range(2000)]
            del mine[::3]
            if any(text != str(number) for _, number, text in mine):
                bad.append(mine)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    epoll(2.5)
    ends.set()
    for thread in threads:
        thread.join()
    assert not bad


WAYS = {"poll": lambda: poll(2.5), "epoll": lambda: epoll(2.5), "select": lambda: select_one(2.5), "forever": forever,
        "short": short, "busy": busy, "elsewhere": elsewhere, "threads": with_threads, "child": lambda: poll(2.5)}


def holes():
    full = [(i, str(i) * 3) for i in range(COUNT)]
    kept = full[::97]
    before = anonymous()
    del full
    after = anonymous()
    WAYS[WAY]()
    left = anonymous()
    if any(text != str(number) * 3 for number, text in kept):
        return "damaged"
    # It goes on as if nothing had been.
    more = [(i, str(i) * 3) for i in range(COUNT)]
    if any(text != str(number) * 3 for number, text in more):
        return "damaged"
    return "gone" if after - left > (before - left) / 8 and after - left > 4096 else "there"


def lasts(wait, seconds, result, *arguments):
    begin = time.monotonic()
    found = wait(seconds, *arguments)
    passed = time.monotonic() - begin
    assert bool(found) == result, (wait, seconds, found)
    # No wait is shorter than it should be.
    assert result or passed > seconds - .01, (wait, seconds, passed)


def results():
    libc = ctypes.CDLL(None, use_errno=True)
    for wait in (poll, epoll, select_one):
        for seconds in (0, .2, 1, 1.3):
            lasts(wait, seconds, False)
            reader, writer = os.pipe()
            lasts(wait, seconds, False, reader)
            write_later(writer, seconds + .5)
            lasts(wait, seconds + 60, True, reader)
    # A signal ends a wait as ever, in its first part and in its second one.
    signal.signal(signal.SIGALRM, lambda *ignored: None)
    for seconds in (.3, 1.5):
        lasts(poll, .01, False)
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGALRM)).start()
        assert libc.poll(None, 0, 60000) == -1 and ctypes.get_errno() == 4
    # What is left of a time that select(2) has not used.
    left = (ctypes.c_long * 2)(60, 0)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    assert libc.select(0, None, None, None, left) == -1
    assert left[0] in range(30, 59), list(left)
    for wrong in (lambda: libc.epoll_wait(-1, left, 1, 5000), lambda: libc.epoll_wait(-1, left, 1, 0)):
        assert wrong() == -1 and ctypes.get_errno() == 9
    return "good"


def locked(library):
    """A library waits with its own lock, which another thread wants with Python's: it gets it when the wait is over."""
    reader, writer = os.pipe()
    with_lock = ctypes.PyDLL(library)
    threading.Timer(.3, with_lock.take_lock).start()
    # Not of this process: all of its threads wait meanwhile.
    if os.fork() == 0:
        time.sleep(3)
        os.write(writer, b"x")
        os._exit(0)
    return "good" if ctypes.CDLL(library).wait_locked(reader) == 1 else "nothing"


if WAY == "locked":
    print(locked(sys.argv[2]))
elif WAY == "child":
    print(end="", flush=True)
    if os.fork() == 0:
        print(holes(), flush=True)
        os._exit(0)
    os.wait()
else:
    print(results() if WAY == "results" else holes())
