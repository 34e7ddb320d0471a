"""Priority of processes and threads that leave the machine to others."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

LEAST_PRIORITY = 19

_SESSION = Path("/proc/self/autogroup")


def lower_priority(nice: int) -> None:
    """Raise this process's nice value to `nice`, from 0 to 19, where the system has such values; never lower it.

    Linux may weigh whole sessions against each other (autogroups), and then nice values count inside a session only:
    the session's own value is set as well. It must be one of this process alone, as `start_new_session` makes.
    """
    if nice <= 0 or not hasattr(os, "setpriority"):
        return
    process = os.PRIO_PROCESS, 0
    os.setpriority(*process, max(nice, os.getpriority(*process)))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # not on this system
            _SESSION.write_text(str(nice))


def lower_thread_priority(nice: int) -> None:
    """Raise the nice value of this thread and of the threads that it starts, where threads have one; never lower it.

    On Linux each thread has its own; elsewhere the value is that of the process, which is left as it is.
    """
    if sys.platform == "linux":
        thread = os.PRIO_PROCESS, threading.get_native_id()
        os.setpriority(*thread, max(nice, os.getpriority(*thread)))
