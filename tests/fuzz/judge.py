"""A judge of what slimlm does with a damaged folder: success or one sentence, in bounded time and memory."""

import ast
import hashlib
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from types import FrameType

import slimlm
from slimlm.utils.files import reason
from slimlm.utils.optional import PackageError

LONGEST_SENTENCE = 1500
MOST_SECONDS = 60.0
"""Far above what a case takes, pictures on a busy machine included: what hangs does so for ever."""
_MOST_MEMORY = 400 * 2**30
"""Of address space, beyond what is used by then: a file of a terabyte is not mapped, and not read."""

_PACKAGE = str(Path(slimlm.__file__).parent)


class Hang(BaseException):
    """What is raised in a case that takes too long: no `except Exception` of the code under test catches it."""


class Told(Exception):  # noqa: N818 (it is no error)
    """The sentence that a command says."""


@contextmanager
def disk_errors_as_sentences() -> Iterator[None]:
    """Make of an error of the disk the sentence that the command line makes of it."""
    try:
        yield
    except OSError as error:
        raise Told(f"{error.filename or 'the output'} cannot be used: {reason(error)}") from None


@dataclass
class Verdict:
    """What became of some cases."""

    cases: int = 0
    sentences: int = 0
    """Cases that ended in a sentence; the others succeeded."""
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0


def sentence_fault(text: str) -> str | None:
    """Say why a text is no sentence for a reader; None for one that is."""
    if not text.isprintable():
        return f"not one printable line: {text[:300]!r}"
    if not 5 <= len(text) <= LONGEST_SENTENCE:
        return f"a sentence of {len(text):,} characters: {text[:300]!r}"
    return None


def fault_of(use: Callable[[], object]) -> tuple[bool, str | None]:
    """Run a case; return whether it ended in an error, and what is wrong with how it ended."""
    told, written = StringIO(), StringIO()
    try:
        with _alarm(), warnings.catch_warnings(), redirect_stderr(told), redirect_stdout(written):
            warnings.simplefilter("error")
            use()
    except Told as told_by_command:
        return True, sentence_fault(str(told_by_command))
    except (ValueError, PackageError) as error:
        return True, sentence_fault(str(error)) or _unintended(error)
    except Hang:
        return True, f"longer than {MOST_SECONDS:g} s: {_way(sys.exc_info()[1])}"
    except BaseException as error:  # a panic of a package is no Exception
        return True, f"{type(error).__name__}: {str(error)[:200]} {_way(error)}"
    said = told.getvalue()
    return False, f"said {said[:300]!r}" if "Traceback" in said or "Warning" in said else None


def _unintended(error: BaseException) -> str | None:
    """Say where an error comes from that no statement of slimlm raises: its words are those of a library."""
    trace = traceback.extract_tb(error.__traceback__)
    last = trace[-1]
    if last.filename.startswith(_PACKAGE) and last.lineno in _raising_lines(last.filename):
        return None
    return f"{type(error).__name__} that slimlm does not raise: {str(error)[:200]} {_way(error)}"


@cache
def _raising_lines(file: str) -> frozenset[int]:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    raises = (node for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return frozenset(line for node in raises for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _way(error: BaseException | None) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-5:] if error else []
    return "at " + " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let no allocation and no mapping succeed that takes what only a huge file would."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def quiet_streams() -> Iterator[Callable[[], str]]:
    """Send what libraries write to the standard error into a file; yield what returns and forgets its content."""
    with tempfile.TemporaryFile("w+b") as kept:

        def read() -> str:
            kept.seek(0)
            text = kept.read().decode(errors="replace")
            kept.seek(0)
            kept.truncate()
            return text

        sys.stderr.flush()
        number = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield read
        finally:
            os.dup2(number, 2)
            os.close(number)


def snapshot(folder: Path) -> str:
    """Return a digest of the names and the content of everything in a small folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode(errors="surrogateescape") + b"\0")
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()
