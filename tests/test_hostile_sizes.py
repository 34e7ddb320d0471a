"""Text, tokens, tokenizers and weights that are huge, empty or no files: a sentence, before they are read."""

import gzip
import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.data import documents
from slimlm.data.corpus import open_corpus, prepare_corpus
from slimlm.data.documents import find_sources, read_documents
from slimlm.data.tokenizer import LARGEST_VOCABULARY, load_tokenizer
from slimlm.engines.data import _generated, study_data
from slimlm.interop.layered import layered_model
from slimlm.model.weights_file import check_weights_file
from slimlm.utils.files import remove
from tests.cli.runs import some_text
from tests.fuzz.corpora import mend
from tests.fuzz.mutation import lengthened


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.jsonl", "a.txt.gz", "a.jsonl.xz", "a.parquet"])
def test_a_text_of_a_terabyte_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    some_text(tmp_path).rename(tmp_path / name)
    lengthened(tmp_path / name)
    limit = r"bytes: it must have at most|has a line of more than 268,435,456 bytes: one JSON object a line would work"
    with pytest.raises(ValueError, match=limit):
        prepare_corpus(tmp_path / name, tmp_path / "corpus", vocab_size=270)
    assert not (tmp_path / "corpus").exists()


def test_text_that_is_packed_very_small_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_LARGEST_TEXT", 1000)
    monkeypatch.setattr(documents, "_LONGEST_LINE", 1000)
    for name, sentence in (
        ("a.txt.gz", "1,000 bytes of text: JSON lines"),
        ("a.jsonl.gz", "a line of more than 1,000 "),
    ):
        (tmp_path / name).write_bytes(gzip.compress(b"0" * 10**6))
        with pytest.raises(ValueError, match=sentence):
            list(read_documents(tmp_path / name))
    assert len(find_sources(tmp_path)[0].sha256()) == 64


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("corpus")
    prepare_corpus(some_text(home), home / "made", vocab_size=280)
    return home / "made"


@pytest.mark.parametrize("name", ["train.bin", "tokenizer.json", "token_lengths.npy", "manifest.json"])
@pytest.mark.parametrize("kind", ["pipe", "huge", "folder"])
def test_a_corpus_opens_no_pipe_and_reads_no_hole(name: str, kind: str, corpus: Path, tmp_path: Path) -> None:
    for path in corpus.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if kind == "huge":
        lengthened(tmp_path / name)
    else:
        remove(tmp_path / name)
        os.mkfifo(tmp_path / name) if kind == "pipe" else (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        open_corpus(tmp_path)


def mended(folder: Path) -> None:
    """Let the manifest have the digests of the files as they are."""
    mend(folder, random.Random(0))


@pytest.mark.parametrize(
    ("lengths", "sentence"),
    [(np.zeros(279, np.int64), "280 64-bit integers"), (np.zeros(280, np.int32), "280 64-bit integers of at least 0"),
     (np.full(280, -1), "280 64-bit integers of at least 0"), (b"\x93NUMPY", "280 64-bit"), (b"", "280 64-bit")],
)  # fmt: skip
def test_lengths_that_are_none_are_one_sentence(lengths: Any, sentence: str, corpus: Path, tmp_path: Path) -> None:
    for path in corpus.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if isinstance(lengths, bytes):
        (tmp_path / "token_lengths.npy").write_bytes(lengths)
    else:
        np.save(tmp_path / "token_lengths.npy", lengths)
    mended(tmp_path)
    with pytest.raises(ValueError, match=rf"token_lengths.npy is damaged: it must have {sentence}"):
        open_corpus(tmp_path)


def test_a_split_without_tokens_and_ids_beyond_the_vocabulary_are_one_sentence(corpus: Path, tmp_path: Path) -> None:
    for path in corpus.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "train.bin").write_bytes(b"\xff\xff" * 5000)
    mended(tmp_path)
    with pytest.raises(ValueError, match="holds the id 65,535: ids below vocab_size=280 would work"):
        study_data(open_corpus(tmp_path))
    (tmp_path / "train.bin").write_bytes(b"")
    mended(tmp_path)
    with pytest.raises(ValueError, match=r"train\.bin is empty: a split with tokens would work"):
        open_corpus(tmp_path)


def test_a_tokenizer_with_an_id_beyond_all_vocabularies_is_refused(corpus: Path, tmp_path: Path) -> None:
    record = json.loads((corpus / "tokenizer.json").read_text())
    record["model"]["vocab"]["a"] = 2**31
    (tmp_path / "tokenizer.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=f'"a" has the id 2,147,483,648: ids below {LARGEST_VOCABULARY:,} would work'):
        load_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (struct.pack("<Q", 2**60), "its header is damaged"), (struct.pack("<Q", 2) + b"[]", "its header is damaged"),
        (struct.pack("<Q", 10**7), "its header is damaged"), (b"", "it has 0 bytes|its header is damaged"),
        (struct.pack("<Q", 2) + b"{}", "it has 1,099,511,627,776 bytes, and its header says 10"),
    ],
)  # fmt: skip
def test_weights_of_another_size_than_their_header_says_are_not_read(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "weights").write_bytes(content)
    lengthened(tmp_path / "weights")
    with pytest.raises(ValueError, match=f"^the weights cannot be read: ({sentence})$"):
        check_weights_file(tmp_path / "weights", "the weights")


def test_a_layer_without_a_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^layer_types=null is not supported: the kinds of layer are "):
        layered_model({"model_type": "olmo_hybrid", "num_hidden_layers": 2, "layer_types": ["full_attention", None]})


def test_a_generator_of_more_tokens_than_memory_holds_is_refused() -> None:
    settings = {"seed": 0, "train_tokens": 5 * 10**9, "heldout_tokens": 9}
    with pytest.raises(
        ValueError, match=r"^train_tokens=5,000,000,000 is not allowed: a generated source has at most "
    ):
        _generated(Path("generator.json"), 64, settings)
