"""Documents from files and folders, and one sentence for each file that cannot be read."""

import gzip
import json
import lzma
import os
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.data.documents import Document, find_sources, read_documents

TEXT = "Call me Ishmael – “so”.\r\nSome years ago\n\n"

PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress}


def read(*paths: Path, field: str = "text") -> list[tuple[str, str]]:
    return [(document.name, document.text) for document in read_documents(paths, field=field)]


def lines(*records: Any) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def written(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("suffix", [".txt", ".md"])
def test_a_text_file_is_one_document_and_stays_as_it_is(tmp_path: Path, suffix: str, packed: str) -> None:
    file = written(tmp_path / f"book{suffix}{packed}", PACKED[packed](TEXT.encode()))
    assert read(file) == [(file.name, TEXT)]


@pytest.mark.parametrize("packed", PACKED)
def test_a_line_of_jsonl_is_one_document(tmp_path: Path, packed: str) -> None:
    content = lines({"id": 1, "body": TEXT}, {"body": ""}) + b"\n" + lines({"body": "b"})
    file = written(tmp_path / f"web.jsonl{packed}", PACKED[packed](content))
    assert read(file, field="body") == [(f"{file.name}:1", TEXT), (f"{file.name}:4", "b")]


def test_a_row_of_parquet_is_one_document(tmp_path: Path) -> None:
    texts = [f"{number} {TEXT}" for number in range(600)]
    pd.DataFrame({"id": range(600), "text": texts}).to_parquet(tmp_path / "rows.parquet")
    assert read(tmp_path / "rows.parquet") == [(f"rows.parquet:{n}", text) for n, text in enumerate(texts, 1)]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/b/c.txt", "c.csv", ".hidden.txt", ".git/x.txt"):
        written(tmp_path / name, name.encode())
    assert read(tmp_path) == [(name, name) for name in ("a/b/c.txt", "a/z.md", "b.txt")]
    assert [source.name for source in find_sources([tmp_path / "b.txt", tmp_path / "a"])] == [
        "b.txt",
        "b/c.txt",
        "z.md",
    ]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.txt", b"\xef\xbb\xbfa\xef\xbb\xbf")) == [("a.txt", "a\ufeff")]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text_comes_back(texts: list[str]) -> None:
    kept = [text for text in texts if text and not text.isspace()]
    if not kept:
        return
    with TemporaryDirectory() as folder:
        file = written(Path(folder) / "a.jsonl", lines(*({"text": text} for text in texts)))
        assert [text for _, text in read(file)] == kept
        if not kept[0].startswith("\ufeff"):
            assert read(written(Path(folder) / "a.txt", kept[0].encode())) == [("a.txt", kept[0])]


BAD: dict[str, tuple[str, bytes, str]] = {
    "not UTF-8": ("a.txt", b"caf\xe9 noir", r"a.txt is not UTF-8 text: byte 3 \(0xe9\) cannot be read; the file conv"),
    "UTF-16": ("a.md", "text".encode("utf-16"), r"a.md is not UTF-8 text: byte 0 \(0xff\) cannot be read"),
    "not UTF-8 in a line": ("a.jsonl", lines({"text": "a"}) + b'{"text": "\xff"}', r"not UTF-8 text: byte 24 \(0xff\)"),
    "empty": ("a.txt", b"", "a.txt holds no text: a file with text would work"),
    "blank": ("a.txt", b" \n\t\n", "a.txt holds no text: a file with text would work"),
    "no lines": ("a.jsonl", lines({"text": ""}), "a.jsonl holds no text: a file with text would work"),
    "unknown kind": ("a.docx", b"a", "a.docx is of an unknown kind: a name that ends in one of .txt, .txt.xz, .txt.gz"),
    "without the field": (
        "a.jsonl",
        lines({"text": "a"}, {"body": "b", "id": 1}),
        r"a.jsonl, line 2, has no field \"text\": it has 'body', 'id'$",
    ),
    "an empty object": ("a.jsonl", b"{}", r'a.jsonl, line 1, has no field "text": it has none$'),
    "no object": ("a.jsonl", b"[1]", r'a.jsonl, line 1, is \[1\]: an object with the field "text" would work'),
    "no text in the field": ("a.jsonl", lines({"text": 3}), "a.jsonl, line 1, has text=3: a text would work"),
    "no JSON": ("a.jsonl", b"{", "a.jsonl, line 1, is not JSON"),
    "half a character": ("a.jsonl", rb'{"text": "\ud800"}', 'line 1, has half a surrogate pair in "text"'),
    "damaged .xz": ("a.txt.xz", lzma.compress(b"a" * 999)[:40], "a.txt.xz is damaged: Compressed file ended before"),
    "no .xz": ("a.txt.xz", b"plain text", "a.txt.xz is damaged: Input format not supported"),
    "damaged .gz": ("a.txt.gz", gzip.compress(b"a" * 999)[:15], "a.txt.gz is damaged: Compressed file ended before"),
    "no .gz": ("a.txt.gz", b"plain text", "a.txt.gz is damaged: Not a gzipped file"),
    "no Parquet": ("a.parquet", b"plain text", "a.parquet is no Parquet file that can be read: "),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_read_gets_one_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = written(tmp_path / name, content)
    with pytest.raises(ValueError, match=message) as caught:
        read(file)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_parquet_file_without_the_column_or_with_missing_values_gets_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pd.DataFrame({"body": ["a"], "text": [None]}).to_parquet(file)
    with pytest.raises(ValueError, match=r"a.parquet, row 1, has text=null: a text would work"):
        read(file)
    with pytest.raises(ValueError, match=r"""a.parquet has no column "title": it has 'body', 'text'"""):
        read(file, field="title")


def test_paths_that_lead_to_no_text_get_one_sentence(tmp_path: Path) -> None:
    written(tmp_path / "folder" / "a.csv", b"a")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ValueError, match=r"^no text was given: the path of a file or a folder would work"):
        read()
    with pytest.raises(ValueError, match=r"none.txt cannot be read: No such file or directory"):
        read(tmp_path / "none.txt")
    with pytest.raises(ValueError, match=r"cannot be read: embedded null byte"):
        find_sources([Path("a\0.txt")])
    with pytest.raises(ValueError, match=r"folder holds no text: files whose names end in .txt"):
        read(tmp_path / "folder")
    with pytest.raises(ValueError, match=r"pipe.txt is a device, a pipe or a socket"):
        read(tmp_path / "pipe.txt")


def test_files_are_read_one_at_a_time(tmp_path: Path) -> None:
    good = written(tmp_path / "a.txt", b"a")
    found = read_documents([good, written(tmp_path / "b.txt", b"\xff")])
    assert next(found) == Document("a.txt", "a")
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "b.txt"))):
        next(found)
