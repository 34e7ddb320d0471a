"""Corpora: tokenised once, split without leaks, opened again for the same request alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slimlm.data import corpus, writing
from slimlm.data.corpus import open_corpus
from slimlm.data.tokenizer import load_tokenizer
from slimlm.utils.validation import FieldError
from tests.data.texts import GATSBY, VOCAB, documents_of, prepared, prose, small_tokenizer


def test_the_splits_are_the_whole_text_and_no_part_is_in_two(home: Path) -> None:
    data, tokenizer = open_corpus(home / "corpus"), load_tokenizer(home / "corpus" / "tokenizer.json")
    books = [(home / "books" / f"author_book-{number}.txt").read_bytes().decode() for number in range(3)]
    train, heldout = documents_of(data.train, tokenizer), documents_of(data.heldout["validation"], tokenizer)
    assert [first + last for first, last in zip(train, heldout, strict=True)] == [books[0], books[2]]
    assert documents_of(data.heldout["out_of_domain"], tokenizer) == [books[1]]
    assert 0.015 < sum(map(len, heldout)) / len(books[0] + books[2]) < 0.035


def test_lengths_sum_to_the_bytes_of_the_text(home: Path) -> None:
    data = open_corpus(home / "corpus")
    files = sum(file.stat().st_size for file in (home / "books").iterdir())
    splits = [data.train, *data.heldout.values()]
    assert sum(int(data.token_lengths[split].sum()) for split in splits) == files
    manifest = json.loads((home / "corpus" / "manifest.json").read_text("utf-8"))
    assert sum(split["text_bytes"] for split in manifest["splits"].values()) == files
    assert [split["tokens"] for split in manifest["splits"].values()] == list(map(len, splits))
    assert (manifest["documents"], manifest["small_documents"]) == (3, 0)
    assert manifest["out_of_domain_documents"] == ["author_book-1.txt"]


def test_the_vocabulary_is_exact_and_learned_from_the_training_part_alone(home: Path, tmp_path: Path) -> None:
    data = open_corpus(home / "corpus")
    assert (data.vocab_size, data.token_lengths.shape, data.train.itemsize) == (VOCAB, (VOCAB,), 2)
    assert load_tokenizer(home / "corpus" / "tokenizer.json").vocab_size == VOCAB
    shutil.copytree(home / "books", tmp_path / "books")
    (tmp_path / "books" / "author_book-1.txt").write_text("zzyzx " * 4000, encoding="utf-8")
    other = prepared(tmp_path / "corpus", tmp_path / "books")
    tokenizers = [folder / "corpus" / "tokenizer.json" for folder in (home, tmp_path)]
    assert tokenizers[0].read_bytes() == tokenizers[1].read_bytes()
    assert other.digest != data.digest


def test_the_same_request_opens_the_corpus_again(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_corpus(own / "corpus")
    monkeypatch.setattr(corpus, "train_tokenizer", None)
    again = prepared(own / "corpus", own / "books")
    assert again.digest == first.digest
    assert (again.train == first.train).all()
    assert sorted(file.name for file in own.iterdir()) == ["books", "corpus"]


def test_the_same_text_gives_the_same_tokens_whatever_is_tokenised_at_a_time(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_BATCH", 1)
    assert prepared(tmp_path / "corpus", home / "books").digest == open_corpus(home / "corpus").digest
    for file in (home / "corpus").iterdir():
        assert file.read_bytes() == (tmp_path / "corpus" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"vocab_size": 401},
            "holds the corpus of vocab_size=400, not 401: another folder, or deleting this one, would",
        ),
        ({"heldout_share": 0.03}, r"holds the corpus of heldout_share=0.025, not 0.03"),
        ({"out_of_domain": []}, r'holds the corpus of out_of_domain=\["book-1"\], not \[\]'),
        ({"tokenizer": small_tokenizer(), "vocab_size": 600}, "holds the corpus of vocab_size=400"),
    ],
)
def test_the_corpus_of_another_request_is_never_used_or_replaced(
    home: Path, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(home / "corpus", home / "books", **request_)


def test_the_corpus_of_other_text_is_never_used_or_replaced(own: Path) -> None:
    with (own / "books" / "author_book-2.txt").open("a", encoding="utf-8") as book:
        book.write("x")
    with pytest.raises(ValueError, match="holds the corpus of other text: another folder, or deleting this one, would"):
        prepared(own / "corpus", own / "books")


def test_opening_needs_no_tokenizers_package(home: Path) -> None:
    script = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from pathlib import Path; from slimlm.data.corpus import open_corpus\n"
        "print(open_corpus(Path(sys.argv[1])).batch(0, 0, 2, 8).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home / "corpus")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(2, 9)\n"


def test_a_given_tokenizer_is_kept_and_may_have_fewer_tokens_than_the_model(home: Path, tmp_path: Path) -> None:
    data = prepared(tmp_path / "corpus", home / "books", tokenizer=small_tokenizer(), vocab_size=70_000)
    assert load_tokenizer(tmp_path / "corpus" / "tokenizer.json").digest == small_tokenizer().digest
    assert (data.train.itemsize, data.token_lengths.shape) == (4, (70_000,))
    assert not data.token_lengths[600:].any()
    assert data.train.max() < 600
    with pytest.raises(
        FieldError, match="vocab_size=599 is not allowed: it must be at least the 600 tokens of the tok"
    ):
        prepared(tmp_path / "other", home / "books", tokenizer=small_tokenizer(), vocab_size=599)


def test_a_text_that_changes_meanwhile_is_refused(own: Path) -> None:
    def change(share: float, kind: str) -> None:
        if kind.startswith("tokenising"):
            (own / "books" / "author_book-2.txt").write_text(prose(20_000, 100_000), encoding="utf-8")

    with pytest.raises(ValueError, match="the text changed while it was being tokenised: running it again would work"):
        prepared(own / "new", own / "books", progress=change)
    assert not (own / "new").exists()


def test_a_corpus_that_another_process_made_meanwhile_is_opened(home: Path, tmp_path: Path) -> None:
    def race(share: float, kind: str) -> None:
        if kind.startswith("tokenising") and not (tmp_path / "corpus").exists():
            shutil.copytree(home / "corpus", tmp_path / "corpus")

    data = prepared(tmp_path / "corpus", home / "books", progress=race)
    assert data.digest == open_corpus(home / "corpus").digest
    assert [file.name for file in tmp_path.iterdir()] == ["corpus"]


def test_one_name_and_one_path_need_no_list(home: Path, tmp_path: Path) -> None:
    data = prepared(tmp_path / "corpus", home / "books", out_of_domain=GATSBY)
    assert data.digest == open_corpus(str(home / "corpus")).digest
    assert prepared(tmp_path / "corpus", [str(home / "books")]).digest == data.digest  # type: ignore[arg-type]


def test_progress_goes_from_0_to_1(home: Path, tmp_path: Path) -> None:
    shares = list[float]()
    prepared(tmp_path / "corpus", home / "books", progress=lambda share, _: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are Unicode")
def test_the_name_of_a_file_need_not_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a\udcff.txt").write_text(prose(20_000), encoding="utf-8")
    first, again = (prepared(tmp_path / "corpus", tmp_path / "text", vocab_size=257, out_of_domain=()) for _ in "ab")
    assert first.digest == again.digest
    assert first.name == "a\udcff.txt"


def test_links_in_a_circle_are_refused_in_a_sentence(home: Path, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(ValueError, match=r"circle cannot be written: "):
        prepared(tmp_path / "circle", home / "books", vocab_size=257)
