"""Text of every kind of file, and corpora that were made of it."""

import gzip
import hashlib
import json
import lzma
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow  # type: ignore[import-untyped]
from pyarrow import parquet

from slimlm.data.corpus import open_corpus, prepare_corpus
from slimlm.data.documents import SUFFIXES
from slimlm.data.manifest import FILE, read_manifest
from slimlm.data.tokenizer import load_tokenizer
from slimlm.engines.data import study_data
from slimlm.utils.files import read_bytes, read_json
from tests.cli.runs import some_text
from tests.fuzz.driver import Kind


def make(home: Path) -> None:
    """Write folders of text, of each kind alone, and a corpus with two held-out splits."""
    (home.parent / "source").mkdir()
    text = some_text(home.parent / "source").read_text()
    lines = "".join(json.dumps({"text": part, "n": 1}) + "\n" for part in text.split("\n\n")[:150]).encode()
    content = {"a.txt": text.encode(), "b.md": text.encode(), "c.jsonl": lines, "d.jsonl.gz": gzip.compress(lines)}
    content |= {"e.txt.xz": lzma.compress(text.encode()), "f.jsonl.xz": lzma.compress(lines)}
    for name, packed in content.items():
        (home / f"text-{name}").mkdir()
        (home / f"text-{name}" / name).write_bytes(packed)
    (home / "text-parquet").mkdir()
    table = pyarrow.table({"text": text.split("\n\n")[:300], "n": [1] * 300})
    parquet.write_table(table, home / "text-parquet" / "g.parquet")
    (home / "text-mixed" / "below").mkdir(parents=True)
    for name in ("a.txt", "c.jsonl"):
        (home / "text-mixed" / "below" / name).write_bytes(content[name])
    corpus = prepare_corpus(home / "text-mixed", home / "corpus", vocab_size=280, out_of_domain=["a.txt"])
    del corpus
    shutil.copytree(home / "corpus", home / "corpus-again")


def mend(folder: Path, draw: random.Random) -> None:
    """Let the manifest of a corpus have the digests and the sizes of its files as they are."""
    try:
        record = read_json(read_bytes(folder / FILE, FILE, 10**6), FILE, 10**6)
        width = 2 if record["vocab_size"] <= 2**16 else 4
        for name, split in record["splits"].items():
            split["sha256"] = _digest(folder / f"{name}.bin")
            split["tokens"] = (folder / f"{name}.bin").stat().st_size // width
        record["lengths_sha256"] = _digest(folder / "token_lengths.npy")
        record["tokenizer_sha256"] = _digest(folder / "tokenizer.json")
        (folder / FILE).write_text(json.dumps(record))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _digest(file: Path) -> str:
    if not file.is_file() or file.is_symlink() or file.stat().st_size > 10**7:
        raise ValueError
    return hashlib.sha256(file.read_bytes()).hexdigest()


def use(folder: Path, draw: random.Random) -> None:
    """Open a corpus and read its tokens, or make a corpus of text."""
    if any(path.name.endswith(SUFFIXES) for path in folder.rglob("*")) and not (folder / FILE).exists():
        _make_corpus(folder, draw)
        return
    tokens = open_corpus(folder, verify=draw.random() < 0.7)
    study_data(tokens)
    tokens.batch(0, 0, 2, 16)
    assert np.all(tokens.token_lengths >= 0)
    read_manifest(folder)
    load_tokenizer(folder / "tokenizer.json").encode("a text")


def _make_corpus(folder: Path, draw: random.Random) -> None:
    out = folder.parent / "made"
    shutil.rmtree(out, ignore_errors=True)
    try:
        study_data(prepare_corpus(folder, out, vocab_size=270, heldout_share=draw.choice((0.025, 0.2))))
    except ValueError:
        assert not out.exists()
        raise


CORPORA = Kind("corpus", make, use, mend, "corpora")
