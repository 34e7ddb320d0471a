"""Processes that leave the machine to others."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "setpriority"), reason="this system has no nice values")

# The file is empty where a session is in the system's default group, as in some containers: it has no value of its own.
SHOW = """
import os, pathlib, sys
from slimlm.utils.priority import lower_priority
for nice in map(int, sys.argv[1:]):
    lower_priority(nice)
session = pathlib.Path("/proc/self/autogroup")
weight = session.read_text().split() if session.exists() else []
print(os.getpriority(os.PRIO_PROCESS, 0), *weight[-1:] or ["none"])
"""


def lowered(*nice: int, session: bool = True) -> list[str]:
    command = [sys.executable, "-c", SHOW, *map(str, nice)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=session)
    return done.stdout.split()


def test_a_process_and_its_session_go_behind_others() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    nice, of_session = lowered(own + 3)
    assert nice == str(own + 3)
    assert of_session in (str(own + 3), "none")


def test_a_priority_is_never_raised_again() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert lowered(own + 3, own + 1, 0)[0] == str(own + 3)


def test_a_session_shared_with_others_is_left_alone() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    [_, before] = lowered(0, session=False)
    assert lowered(own + 3, session=False) == [str(own + 3), before]
