"""Damaged folders of every kind that slimlm reads: how many end neither well nor in one sentence.

A case is determined by its kind and its number: `python -m tests.fuzz KIND FIRST LAST` runs some of them alone.
"""

import sys
from collections.abc import Iterator

from tests.bench.kit import Row


def hostile_rows(cases: int = 10_000) -> Iterator[Row]:
    """Run some cases of each kind."""
    from tests.fuzz.driver import made, run_cases
    from tests.fuzz.kinds import KINDS

    for kind in KINDS.values():
        with made(kind) as home:
            found = run_cases(kind, range(cases), home)
        for fault in found.faults[:20]:
            print(f"  {fault}", file=sys.stderr)
        yield Row(f"damaged {kind.plural} | refused in a sentence", found.cases, found.sentences, unit="number")
        yield Row(f"damaged {kind.plural} that end in no sentence", len(found.faults), most=0, unit="number")
        yield Row(f"damaged {kind.plural}: the slowest", found.slowest)
