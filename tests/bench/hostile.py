"""Damaged folders of every kind that slimlm reads, and damaged links: how many end neither well nor in one sentence.

A case is determined by its kind and its number: `python -m tests.fuzz KIND FIRST LAST` runs some of them alone.
"""

import sys
import time
from collections.abc import Iterator
from unittest.mock import patch

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


def link_rows(links_of_a_page: int = 150) -> Iterator[Row]:
    """Open each page with links, some of them damaged, as the tests do with a few; models are not built."""
    from slimlm.ui import inspect_panels, model_builds
    from tests.test_hostile_links import PAGES, links, problem

    for number, page in enumerate(PAGES):
        slowest, problems = 0.0, 0
        for query in links(page, 100 + number, links_of_a_page):
            started = time.perf_counter()
            with (
                patch.object(model_builds, "pytorch_check", return_value="not built"),
                patch.object(inspect_panels, "pytorch_check", return_value="not built"),
            ):
                found = problem(page, query)
            slowest = max(slowest, time.perf_counter() - started)
            problems += bool(found)
            if found:
                print(f"  {page}: {found[:300]!r} of {query!r}"[:2000], file=sys.stderr)
        yield Row(f"{links_of_a_page} damaged links to {page} that show no page", problems, most=0, unit="number")
        yield Row("    the slowest", slowest)
