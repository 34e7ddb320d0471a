"""Runs with a fault at every change of their folder, then resumed: how many have other figures than one without."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.kit import Row
from tests.server import ROOT

_DISK = "3m"
"""Size of a disk that is really filled: some runs fit on it."""


def fault_rows() -> Iterator[Row]:
    """Kill a run before every change of its folder, let its disk be full from there on, and fill a real disk there."""
    with TemporaryDirectory() as home:
        yield from _rows(Path(home))
    with TemporaryDirectory() as home:
        if _mounted(home):
            try:
                yield from _rows(Path(home))
            finally:
                subprocess.run(["umount", home], check=True)


def _rows(home: Path) -> Iterator[Row]:
    ways: dict[str, list[dict[str, Any]]] = {}
    for case in _cases(home):
        ways.setdefault(case["way"], []).append(case)
    for way, cases in ways.items():
        wrong = sum(not case["same"] or case["again"] != 0 for case in cases)
        yield Row(f"{way} at one of {len(cases)} places: runs that end otherwise", wrong, most=0, unit="number")
        if way != "killed":
            half = sum(bool(case["left"]) or not (case["said"] or case["code"] == 0) for case in cases)
            yield Row(f"{way}: half files left, or no sentence", half, most=0, unit="number")


def _cases(home: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.train.faulted", str(home), "1"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    yield from map(json.loads, done.stdout.splitlines())


def _mounted(home: str) -> bool:
    """Mount a small disk of memory, where the system lets us."""
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", home]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
