"""Measure slimlm beside its peers in one run: `python -m tests.bench [--only NAME ...]`.

A section is a function that yields rows. Peers run in turns with slimlm, so that both meet the same machine.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator

from tests.bench import crowd, light, memory, model, page, soak
from tests.bench.kit import Row
from tests.bench.table import format_table

SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {
    "import": light.import_rows,
    "solver": light.solver_rows,
    "sweep": light.sweep_rows,
    "model": model.model_rows,
    "memory": memory.memory_rows,
    "count": light.count_rows,
    "page": page.page_rows,
    "crowd": crowd.crowd_rows,
    "soak": soak.soak_rows,
}


def measured(name: str) -> Iterator[Row]:
    """Yield the rows of a section, and say on stderr which ones are there."""
    for row in SECTIONS[name]():
        print(f"  {row.what}", file=sys.stderr)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section to run (repeatable; default: all)")
    chosen = parser.parse_args().only or list(SECTIONS)
    rows: list[Row] = []
    for name in chosen:
        print(f"measuring {name} …", file=sys.stderr)
        rows += measured(name)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs{load}")
    print(format_table(rows))


if __name__ == "__main__":
    main()
