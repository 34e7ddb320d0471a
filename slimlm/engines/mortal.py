"""Start a command that the system kills when the process that started it ends: python -IS mortal.py COMMAND.

Workers end by themselves when their input is closed; one that hangs or is stopped cannot. Linux alone does this.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let this process be killed when the thread that started it ends; the command that it may become keeps this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    os.execv(sys.argv[1], sys.argv[1:])
