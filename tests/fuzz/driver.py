"""Cases of a kind: a copy of a whole folder, damaged by a seed, used as slimlm's commands and pages use it."""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.judge import Verdict, bounded_memory, fault_of, quiet_streams, snapshot
from tests.fuzz.mutation import damage

FIRST_FILE = "first"
"""Name of a file in a folder from which all others are gone."""

Use = Callable[[Path, random.Random], object]


@dataclass(frozen=True)
class Kind:
    """What is damaged, and what reads it."""

    name: str
    make: Callable[[Path], object]
    """Fill a folder with good examples, each a folder of its own."""
    use: Use
    """Read the copy of an example in every way; raises a sentence where it cannot be read."""
    mend: Callable[[Path, random.Random], object] = lambda folder, draw: None
    """Make some digests fit again, so that what lies behind their check is read."""
    plural: str = ""
    """What the table of the benchmark calls many of it."""


def files_of(folder: Path) -> list[Path]:
    """Return the paths of everything in a folder, relative to it; links are not followed."""
    found = os.walk(folder) if folder.is_dir() else ()
    return sorted(Path(home, name).relative_to(folder) for home, below, names in found for name in below + names)


def run_cases(kind: Kind, numbers: range, home: Path) -> Verdict:
    """Run the cases of some numbers; one number always gives the same case."""
    verdict = Verdict()
    with outside_of(home) as outside, bounded_memory(), quiet_streams() as told:
        canary = snapshot(outside)
        for number in numbers:
            started = time.perf_counter()
            what, failed, fault = _case(kind, number, home, outside)
            verdict.slowest = max(verdict.slowest, time.perf_counter() - started)
            verdict.cases += 1
            verdict.sentences += failed
            if snapshot(outside) != canary:
                fault = f"{fault or ''} a file outside was changed"
                _refill(outside)
            if said := told():
                fault = f"{fault or ''} told {said[:300]!r}"
            if fault:
                verdict.faults.append(f"{kind.name} {number} ({what}): {fault}")
    return verdict


def _case(kind: Kind, number: int, home: Path, outside: Path) -> tuple[str, bool, str | None]:
    draw = random.Random(f"{kind.name} {number}")
    example = draw.choice(sorted((home / "good").iterdir()))
    folder = home / "case"
    remove(folder)
    shutil.copytree(example, folder, symlinks=True)
    done = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        path = draw.choice(files_of(folder) or [Path(FIRST_FILE)])
        done.append(f"{example.name}/{path} {damage(folder / path, draw, outside)}")
    if draw.random() < 0.5:
        kind.mend(folder, draw)
    return (", ".join(done), *fault_of(lambda: kind.use(folder, draw)))


def remove(folder: Path) -> None:
    """Delete a folder, of whatever it is made by now."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


@contextmanager
def outside_of(home: Path) -> Iterator[Path]:
    """Yield a folder with files that nothing may change."""
    outside = home / "outside"
    outside.mkdir(exist_ok=True)
    _refill(outside)
    yield outside


def _refill(outside: Path) -> None:
    for path in outside.iterdir():
        remove(path)
    (outside / "canary.json").write_text('{"canary": "a file of someone else"}\n' * 3)


@contextmanager
def made(kind: Kind) -> Iterator[Path]:
    """Yield a folder with good examples of a kind."""
    with tempfile.TemporaryDirectory(prefix="slimlm-fuzz-") as name:
        home = Path(name)
        (home / "good").mkdir()
        kind.make(home / "good")
        yield home
