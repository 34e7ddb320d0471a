"""A server keeps freed memory in a few arenas, however many threads there were, and its threads take short turns."""

import platform
import subprocess
import sys

import pytest

from slimlm.ui.server_process import prepare_process

ARENAS_OF_THREADS = """
import ctypes, sys, threading
from slimlm.ui.server_process import bound_arenas
if sys.argv[1] == "bounded":
    bound_arenas()
all_there = threading.Barrier(12)
def work():
    held = [bytes(2000) for _ in range(100)]  # beyond the size that Python's own allocator takes
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def arenas(how: str) -> int:
    command = [sys.executable, "-c", ARENAS_OF_THREADS, how]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas that can be bounded")
def test_threads_share_two_arenas() -> None:
    assert arenas("bounded") <= 2 < arenas("not bounded")


def test_a_thread_that_waits_for_the_interpreter_gets_it_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    intervals = list[float]()
    monkeypatch.setattr(sys, "setswitchinterval", intervals.append)
    prepare_process.clear()
    prepare_process()
    assert intervals
    assert max(intervals) < 0.001
