"""Processes that leave the machine to others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "setpriority"), reason="this system has no nice values")

SHOW = """
import os, pathlib, sys
from slimlm.utils.priority import lower_priority
for nice in map(int, sys.argv[1:]):
    lower_priority(nice)
session = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), session.read_text().split()[-1] if session.exists() else "none")
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


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system does not weigh sessions")
def test_a_session_shared_with_others_is_left_alone() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    before = Path("/proc/self/autogroup").read_text().split()[-1]
    assert lowered(own + 3, session=False) == [str(own + 3), before]
