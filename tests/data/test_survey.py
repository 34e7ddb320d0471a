"""Requests and texts that make no corpus are refused before anything is written."""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from slimlm.data.corpus import prepare_corpus
from slimlm.data.tokenizer import load_tokenizer
from tests.data.texts import documents_of, prepared, prose

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "vocabulary of no merges": ({"vocab_size": 256}, "vocab_size=256 is not allowed: it must be at least 257"),
    "vocabulary too large": (
        {"vocab_size": 30_000},
        r"vocab_size=30000 .*the text supports at most [\d,]+ tokens; voc",
    ),
    "nothing held out": (
        {"heldout_share": 0.0},
        "heldout_share=0.0 is not allowed: it must be above 0 and at most 0.5",
    ),
    "most held out": ({"heldout_share": 0.51}, "heldout_share=0.51 is not allowed: it must be above 0"),
    "no number": ({"heldout_share": float("nan")}, "heldout_share=nan is not allowed: it must be above 0"),
    "a name that no document has": (
        {"out_of_domain": ["book-1", "middlemarch"]},
        'out_of_domain="middlemarch" is not allowed: no document has it in its name: author_book-0.txt, auth',
    ),
    "everything out of domain": ({"out_of_domain": ["book"]}, "no text is left to train on: more documents, and fewer"),
}


@pytest.mark.parametrize(("request_", "message"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_cannot_be_met_gets_one_sentence(
    home: Path, tmp_path: Path, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(tmp_path / "corpus", home / "books", **request_)
    assert not list(tmp_path.iterdir())


def test_names_of_documents_are_shown_in_printable_characters(tmp_path: Path) -> None:
    (tmp_path / "a{0}\n{.txt").write_text(prose(9000), encoding="utf-8")
    with pytest.raises(ValueError, match=r"no document has it in its name: a\{0\} \{\.txt$"):
        prepare_corpus(tmp_path, tmp_path / "corpus", vocab_size=300, out_of_domain=["{x}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            prose(3000),
            "the validation split has 0 tokens and needs 64: one text of 3,0.. bytes is too small to be split;",
        ),
        (
            "the whale " * 800,
            r"the validation split has 61 tokens and needs 64: the text has 8,000 bytes; a larger held",
        ),
    ],
)
def test_a_heldout_part_too_small_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        prepare_corpus([tmp_path / "a.txt"], tmp_path / "corpus", vocab_size=264)
    assert not (tmp_path / "corpus").exists()


def test_many_small_documents_are_held_out_whole(tmp_path: Path) -> None:
    rows = [paragraph for paragraph in prose(100_000).split("\n\n") if 0 < len(paragraph.strip()) < 1900]
    content = "".join(json.dumps({"text": row}) + "\n" for row in [*rows, *rows[:50]])
    (tmp_path / "rows.jsonl.xz").write_bytes(lzma.compress(content.encode()))
    data = prepare_corpus([tmp_path / "rows.jsonl.xz"], tmp_path / "corpus", vocab_size=300, heldout_share=0.1)
    tokenizer = load_tokenizer(tmp_path / "corpus" / "tokenizer.json")
    train, heldout = documents_of(data.train, tokenizer), documents_of(data.heldout["validation"], tokenizer)
    assert sorted(train + heldout) == sorted([*rows, *rows[:50]])
    assert not set(train) & set(heldout)
    assert 0.05 < len(heldout) / len(train + heldout) < 0.15
    assert [row for row in [*rows, *rows[:50]] if row in set(train)] == train
