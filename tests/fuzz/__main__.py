"""Run cases of some kinds: `python -m tests.fuzz KIND FIRST LAST`; prints every fault."""

import sys
import time
from collections import Counter

from tests.fuzz.driver import made, run_cases
from tests.fuzz.kinds import KINDS

if __name__ == "__main__":
    name, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    kind = KINDS[name]
    with made(kind) as home:
        started = time.perf_counter()
        found = run_cases(kind, range(first, last), home)
        seconds = time.perf_counter() - started
    for fault in found.faults:
        print(fault.encode(errors="backslashreplace").decode())
    print(Counter(fault.rpartition(" at ")[2] for fault in found.faults).most_common(40))
    print(f"{found.cases} cases, {found.sentences} sentences, {len(found.faults)} faults, {seconds:.0f} s, "
          f"slowest {found.slowest:.1f} s")  # fmt: skip
