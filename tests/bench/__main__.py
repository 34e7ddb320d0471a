"""Measure slimlm beside its peers in one run: `python -m tests.bench [--only SECTION ...]`.

The whole run takes at most 10 minutes on 2 cores: `SECTIONS` gives each section's budget in seconds. Sections that do
not fit run by name only. Each row is printed when it is measured, so that a stopped run has shown its results so far.
"""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, NoReturn

from tests.bench import crowd, faults, hostile, light, memory, model, page, shared, soak, solving, streamed, training
from tests.bench.kit import Row
from tests.bench.table import format_row, misses_aim, table_head


class Section(NamedTuple):
    """A function that yields rows, and its budget."""

    rows: Callable[[], Iterator[Row]]
    seconds: int
    by_name_only: bool = False


SECTIONS = {
    "import": Section(light.import_rows, 10),
    "solver": Section(solving.solver_rows, 25),
    "sweep": Section(solving.sweep_rows, 36),
    "count": Section(light.count_rows, 15),
    "model": Section(model.model_rows, 130),
    "memory": Section(memory.memory_rows, 77),
    "page": Section(page.page_rows, 140),
    "crowd": Section(crowd.crowd_rows, 93),
    "soak": Section(soak.soak_rows, 73),
    "sweep-100k": Section(solving.large_sweep_rows, 120, by_name_only=True),
    "training": Section(training.training_rows, 150, by_name_only=True),
    "memory-7b": Section(memory.large_memory_rows, 480, by_name_only=True),
    "memory-100b": Section(streamed.hundred_billion_rows, 600, by_name_only=True),
    "memory-235b": Section(partial(streamed.published_rows, "Qwen3-235B-A22B"), 1500, by_name_only=True),
    "memory-405b": Section(partial(streamed.published_rows, "Llama-3.1-405B"), 3000, by_name_only=True),
    "faults": Section(faults.fault_rows, 400, by_name_only=True),
    "hostile": Section(hostile.hostile_rows, 5400, by_name_only=True),
    "hostile-links": Section(hostile.link_rows, 1800, by_name_only=True),
    "crowd-shared": Section(shared.shared_rows, 150, by_name_only=True),
    "crowd-runs": Section(crowd.repeated_crowd_rows, 600, by_name_only=True),
    "crowd-long": Section(crowd.long_crowd_rows, 780, by_name_only=True),
    "soak-long": Section(soak.long_soak_rows, 900, by_name_only=True),
}
WHOLE_RUN = [name for name, section in SECTIONS.items() if not section.by_name_only]
BY_NAME_ONLY = [name for name, section in SECTIONS.items() if section.by_name_only]


def budget(names: Sequence[str]) -> str:
    """Return what some sections take at most, in words."""
    return ", ".join(f"{name} {SECTIONS[name].seconds} s" for name in names)


def read_arguments(arguments: Sequence[str] | None = None) -> list[str]:
    """Return the names of the sections to run; exit with code 2 when one is unknown."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure slimlm beside its peers.",
        epilog=f"Sections and their budgets on 2 cores: {budget(WHOLE_RUN)}. By name only: {budget(BY_NAME_ONLY)}.",
    )
    help_text = "a section to run (repeatable; default: all but those that run by name only)"
    parser.add_argument("--only", action="append", metavar="SECTION", help=help_text)
    names: list[str] = parser.parse_args(arguments).only or WHOLE_RUN
    for name in names:
        if name not in SECTIONS:
            print(
                f"{name!r} is not a section of the benchmark: it must be one of {', '.join(SECTIONS)}", file=sys.stderr
            )
            sys.exit(2)
    return names


def describe_run(names: Sequence[str]) -> str:
    """Return the line above the table: the machine, and how long the run takes at most."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    seconds = sum(SECTIONS[name].seconds for name in names)
    left_out = "" if set(BY_NAME_ONLY) <= set(names) else f"; by name only: {', '.join(BY_NAME_ONLY)}"
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs{load}; budget {seconds} s{left_out}"


def measure(names: Sequence[str]) -> None:
    """Print the head of the table, then each row when it is measured."""
    print(describe_run(names), table_head(), sep="\n", flush=True)
    started, rows = time.perf_counter(), list[Row]()
    for name in names:
        begun = time.perf_counter()
        print(f"measuring {name} …", file=sys.stderr)
        for row in SECTIONS[name].rows():
            rows.append(row)
            print(format_row(row), flush=True)
        print(f"── {name}: {time.perf_counter() - begun:.0f} s, budget {SECTIONS[name].seconds} s", flush=True)
    missed = sum(map(misses_aim, rows))
    print(f"{missed} of {sum(row.has_aim for row in rows)} aims missed; {time.perf_counter() - started:.0f} s in all")


def stop(number: int, _: object) -> NoReturn:
    """End on a signal, and end servers and browsers on the way."""
    sys.exit(128 + number)


def main() -> None:
    names = read_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    measure(names)


if __name__ == "__main__":
    main()
