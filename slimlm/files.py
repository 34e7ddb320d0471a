"""Files that are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new file to write, which takes the place of `path` once it is whole.

    When writing fails, the new file goes and the old one stays as it was. A device or a pipe is written directly.

    Raises PermissionError when the old file must not be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()  # what a link points to
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(None, "the file is read-only")
    beside = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        yield beside
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Say why a file could not be read or written, without numbers and names of errors."""
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split()) or type(error).__name__
