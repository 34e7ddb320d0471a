"""Documents of UTF-8 text from files and folders: plain or compressed text, JSON lines, Parquet."""

import gzip
import hashlib
import lzma
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from slimlm.utils.files import check_size, read_json, reason, regular_size, unreadable
from slimlm.utils.optional import need
from slimlm.utils.text import is_unicode, named, one_line, shown

_PLAIN, _LINES, _PARQUET = (".txt", ".md"), (".jsonl",), (".parquet",)
_COMPRESSED = (".xz", ".gz")
SUFFIXES = tuple([f"{suffix}{packed}" for suffix in _PLAIN + _LINES for packed in ("", *_COMPRESSED)] + list(_PARQUET))
"""Ends of the names of files that can be read."""

Paths = str | Path | Sequence[str | Path]
"""Files and folders, or one."""

_LONGEST_LINE = 1 << 28
_LARGEST_TEXT = 1 << 32
"""Bytes of a document, which is in memory as a whole."""
_LARGEST_FILE = 1 << 34
"""Bytes of a compressed or Parquet file, which has many documents."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Document:
    """One text with its name: the file's, relative to a given folder; with a number for a line or row of a file."""

    name: str
    text: str


@dataclass(frozen=True)
class Source:
    """One file of documents."""

    name: str
    """Path relative to the given folder, with forward slashes; the name of a file that was given itself."""
    path: Path

    def sha256(self) -> str:
        """Return the sha256 of the file's bytes.

        Raises ValueError when it cannot be read, and for one that is larger than any text: a hole has no end.
        """
        digest, line, has_lines = hashlib.sha256(), 0, self.path.name.endswith(_LINES)
        check_size(regular_size(self.path, str(self.path)), str(self.path), _most_bytes(self.path))
        with _opened(self.path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                end = block.rfind(b"\n")
                line = line + len(block) if end < 0 else len(block) - end - 1
                if has_lines and line > _LONGEST_LINE:
                    raise _too_long(self.path)
        return digest.hexdigest()


def find_sources(paths: Paths) -> list[Source]:
    """Return the files to read, folders searched recursively, in the order of `paths` and then of their names.

    In a folder, hidden files and those of other kinds are left out.

    Raises ValueError for no paths, a path that does not exist or is neither file nor folder, a file of another kind,
    and a folder without files to read.
    """
    given = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not given:
        raise ValueError("no text was given: the path of a file or a folder would work")
    return [source for path in given for source in (_in_folder(path) if path.is_dir() else [_one_file(path)])]


def _one_file(path: Path) -> Source:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise unreadable(str(path), error) from None
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is a device, a pipe or a socket: the path of a file would work")
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"{path} is of an unknown kind: a name that ends in one of {', '.join(SUFFIXES)} would work")
    return Source(path.name, path)


def _in_folder(folder: Path) -> list[Source]:
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    kept = sorted(name for name in names if name.name.endswith(SUFFIXES) and not _hidden(name))
    if not kept:
        raise ValueError(f"{folder} holds no text: files whose names end in {', '.join(SUFFIXES)} would work")
    return [Source(name.as_posix(), folder / name) for name in kept]


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def read_documents(paths: Paths, *, field: str = "text") -> Iterator[Document]:
    """Yield the documents of files and folders in order, one in memory at a time.

    A .txt or .md file is one document, a line of a .jsonl file or a row of a .parquet file is one each: its `field`.
    .xz and .gz are decompressed. A byte order mark at the start is left out, lines without text are skipped, and
    everything else stays as it is, line ends included.

    Raises ValueError, in one sentence, for what `find_sources` refuses, a text that is not UTF-8 (with its first
    such byte), a file without text, and a line or row without the field; PackageError where pyarrow is missing.
    """
    for source in find_sources(paths):
        yield from source_documents(source, field)


def source_documents(source: Source, field: str = "text") -> Iterator[Document]:
    """Yield the documents of one file; raises as `read_documents` does."""
    name = source.path.name
    if name.endswith(_PARQUET):
        documents = _parquet(source, field)
    elif name.removesuffix(".xz").removesuffix(".gz").endswith(_LINES):
        documents = _json_lines(source, field)
    else:
        documents = _whole(source)
    empty = True
    for document in documents:
        if document.text and not document.text.isspace():
            empty = False
            yield document
    if empty:
        raise ValueError(f"{source.path} holds no text: a file with text would work")


@contextmanager
def _opened(path: Path, *, unpacked: bool = False) -> Iterator[BinaryIO]:
    """Open a file, decompressed if its name says so; what goes wrong in the block becomes one sentence."""
    openers: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open} if unpacked else {}
    try:
        with openers.get(path.suffix, open)(path, "rb") as file:
            yield file
    except (lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged: {reason(error)}") from None
    except OSError as error:
        raise unreadable(str(path), error) from None


def _decoded(text: bytes, source: Source, offset: int = 0) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source.path} is not UTF-8 text: byte {offset + error.start:,} (0x{text[error.start]:02x}) cannot be "
            "read; the file converted to UTF-8 would work"
        ) from None


def _whole(source: Source) -> Iterator[Document]:
    with _opened(source.path, unpacked=True) as file:
        text = file.read(_LARGEST_TEXT + 1)
    if len(text) > _LARGEST_TEXT:
        raise ValueError(
            f"{source.path} has more than {_LARGEST_TEXT:,} bytes of text: JSON lines, which are read one by one, "
            "would work"
        )
    yield Document(source.name, _decoded(text, source).removeprefix("\ufeff"))


def _json_lines(source: Source, field: str) -> Iterator[Document]:
    offset = 0
    with _opened(source.path, unpacked=True) as file:
        for number, raw in enumerate(iter(partial(file.readline, _LONGEST_LINE + 1), b""), 1):
            if len(raw) > _LONGEST_LINE:
                raise _too_long(source.path)
            line = _decoded(raw, source, offset)
            offset += len(raw)
            if line.strip():
                where = f"{source.path}, line {number:,},"
                yield Document(f"{source.name}:{number}", _field(read_json(line, where, _LONGEST_LINE), field, where))


def _too_long(path: Path) -> ValueError:
    return ValueError(f"{path} has a line of more than {_LONGEST_LINE:,} bytes: one JSON object a line would work")


def _most_bytes(path: Path) -> int:
    """Return the most bytes of a file on the disk; of JSON lines any number, but each has a longest one."""
    if path.name.endswith(_PLAIN):
        return _LARGEST_TEXT
    return _LARGEST_FILE if not path.name.endswith(_LINES) else sys.maxsize


def _field(value: object, field: str, where: str) -> str:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {shown(value)}: an object with the field {shown(field)} would work")
    if field not in value:
        has = f"it has {named(value)}" if value else "it has none"
        raise ValueError(f"{where} has no field {shown(field)}: {has}")
    return _text(value[field], field, where)


def _text(value: object, field: str, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} has {field}={shown(value)}: a text would work")
    if not is_unicode(value):
        raise ValueError(f"{where} has half a surrogate pair in {shown(field)}, which no UTF-8 text holds")
    return value


def _parquet(source: Source, field: str) -> Iterator[Document]:
    need("reading .parquet files", "pyarrow")
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    try:
        with ParquetFile(source.path) as file:
            if field not in file.schema_arrow.names:
                raise ValueError(f"{source.path} has no column {shown(field)}: it has {named(file.schema_arrow.names)}")
            number = 0
            for batch in file.iter_batches(batch_size=256, columns=[field]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield Document(f"{source.name}:{number}", _text(value, field, f"{source.path}, row {number:,},"))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{source.path} is no Parquet file that can be read: {one_line(reason(error), 200)}") from None
