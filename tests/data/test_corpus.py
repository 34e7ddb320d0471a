"""Corpora: tokenised once, split without leaks, written whole or not at all, and refused when damaged."""

import hashlib
import json
import lzma
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from slimlm.data import corpus, writing
from slimlm.data.corpus import open_corpus, prepare_corpus
from slimlm.data.token_data import TokenData, Tokens
from slimlm.data.tokenizer import Tokenizer, load_tokenizer
from slimlm.utils.validation import FieldError
from tests.data.texts import prose, small_tokenizer, write_books

VOCAB = 400
GATSBY = "book-1"


def prepared(folder: Path, books: Path, **request: Any) -> TokenData:
    usual: dict[str, Any] = {"vocab_size": VOCAB, "out_of_domain": [GATSBY]}
    return prepare_corpus(books, folder, **usual | request)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three books and a corpus of them; tests must not change it."""
    folder = tmp_path_factory.mktemp("home")
    prepared(folder / "corpus", write_books(folder / "books"))
    return folder


@pytest.fixture
def own(home: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(home, tmp_path / "own")
    return tmp_path / "own"


def texts(ids: Tokens, tokenizer: Tokenizer) -> list[str]:
    """Return the documents of a split: what stands between separators."""
    ends = [*np.flatnonzero(ids == tokenizer.bos_id).tolist(), len(ids)]
    assert ends[0] == 0
    return [tokenizer.decode(ids[start:end].tolist()) for start, end in pairwise(ends)]


def test_the_splits_are_the_whole_text_and_no_part_is_in_two(home: Path) -> None:
    data, tokenizer = open_corpus(home / "corpus"), load_tokenizer(home / "corpus" / "tokenizer.json")
    books = [(home / "books" / f"author_book-{number}.txt").read_bytes().decode() for number in range(3)]
    train, heldout = texts(data.train, tokenizer), texts(data.heldout["validation"], tokenizer)
    assert [first + last for first, last in zip(train, heldout, strict=True)] == [books[0], books[2]]
    assert texts(data.heldout["out_of_domain"], tokenizer) == [books[1]]
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


def cut_tokens(folder: Path) -> None:
    (folder / "train.bin").write_bytes((folder / "train.bin").read_bytes()[:-2])


def flip(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return change


def other_lengths(folder: Path) -> None:
    np.save(folder / "token_lengths.npy", np.ones(3))
    digest = hashlib.sha256((folder / "token_lengths.npy").read_bytes()).hexdigest()
    edit(lambda record: record.update(lengths_sha256=digest))(folder)


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        record = json.loads((folder / "manifest.json").read_text("utf-8"))
        change(record)
        (folder / "manifest.json").write_text(json.dumps(record), "utf-8")

    return rewrite


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated tokens": (
        cut_tokens,
        r"train.bin is damaged: it has [\d,]+ bytes instead of [\d,]+; deleting the folder",
    ),
    "other tokens": (flip("validation.bin"), "validation.bin is damaged: its sha256 is not the one in manifest.json"),
    "other lengths": (flip("token_lengths.npy"), "token_lengths.npy is damaged: its sha256 is not the one"),
    "lengths of another vocabulary": (other_lengths, "token_lengths.npy is damaged: it must have 400 64-bit integers"),
    "another tokenizer": (flip("tokenizer.json"), "tokenizer.json is damaged: its sha256 is not the one"),
    "missing tokens": (
        lambda folder: (folder / "out_of_domain.bin").unlink(),
        "out_of_domain.bin cannot be read: No such",
    ),
    "missing manifest": (
        lambda folder: (folder / "manifest.json").unlink(),
        "holds no corpus: it has no manifest.json",
    ),
    "half a manifest": (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is not JSON"),
    "no object": (
        lambda folder: (folder / "manifest.json").write_text("[]"),
        r"is of the format \[\]: slimlm-corpus-1",
    ),
    "another format": (edit(lambda record: record.update(format="x")), 'is of the format "x": slimlm-corpus-1 would'),
    "a missing field": (edit(lambda record: record.pop("bos_id")), "manifest.json has missing fields: 'bos_id'"),
    "a foreign field": (edit(lambda record: record.update(x=1)), "manifest.json has unknown fields: 'x'"),
    "another type": (
        edit(lambda record: record.update(vocab_size="4")),
        'has vocab_size="4", which is not what slimlm',
    ),
    "a foreign split": (
        edit(lambda record: record["splits"].update({"../train": {}})),
        "among its splits, has unknown fields: '../train'",
    ),
    "an empty split": (edit(lambda record: record["splits"].update(train={})), "has missing fields: 'documents', 'sha"),
    "no split": (edit(lambda record: record["splits"].update(train=3)), 'has "train"=3 among its splits: an object'),
    "a negative count": (
        edit(lambda record: record["splits"]["train"].update(tokens=-1)),
        "has tokens=-1, which is not what slimlm writes",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_corpus_is_refused(own: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(own / "corpus")
    with pytest.raises(ValueError, match=message):
        open_corpus(own / "corpus")


def test_sizes_are_checked_even_where_contents_are_not(own: Path) -> None:
    flip("validation.bin")(own / "corpus")
    assert open_corpus(own / "corpus", verify=False).vocab_size == VOCAB
    cut_tokens(own / "corpus")
    with pytest.raises(ValueError, match=r"train.bin is damaged: it has [\d,]+ bytes"):
        open_corpus(own / "corpus", verify=False)


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


def test_a_tokenizer_that_miscounts_bytes_is_refused(home: Path, tmp_path: Path) -> None:
    wrong = Tokenizer(small_tokenizer()._inner)
    wrong.lengths[:] = wrong.lengths + (wrong.lengths == 3)
    with pytest.raises(
        ValueError, match=r"have [\d,]+ bytes and the text has [\d,]+: a tokenizer that keeps every byte"
    ):
        prepared(tmp_path / "corpus", home / "books", tokenizer=wrong, vocab_size=600)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["reading", "training the tokenizer", "tokenising"])
def test_what_is_interrupted_leaves_nothing(home: Path, tmp_path: Path, kind: str) -> None:
    def interrupt(share: float, text: str) -> None:
        if text.startswith(kind):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "corpus", home / "books", progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_progress_goes_from_0_to_1(home: Path, tmp_path: Path) -> None:
    shares = list[float]()
    prepared(tmp_path / "corpus", home / "books", progress=lambda share, _: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_a_disk_too_small_is_found_before_anything_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(ValueError, match="may need 122 kB and its disk has 100 kB left: another disk, or less text"):
        prepared(tmp_path / "new" / "corpus", home / "books")
    assert not list(tmp_path.glob("*/*"))


def test_a_folder_of_something_else_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert prepared(tmp_path / "empty", home / "books").vocab_size == VOCAB
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for name in ("file", "full"):
        with pytest.raises(ValueError, match=f"{name} exists and is no corpus: a new or empty folder would work"):
            prepared(tmp_path / name, home / "books")
    with pytest.raises(ValueError, match="file/corpus cannot be written: Not a directory"):
        prepared(tmp_path / "file" / "corpus", home / "books")
    assert (tmp_path / "file").read_text() == "mine"


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
        "out_of_domain='middlemarch' is not allowed: no document has it in its name: author_book-0.txt, auth",
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
    train, heldout = texts(data.train, tokenizer), texts(data.heldout["validation"], tokenizer)
    assert sorted(train + heldout) == sorted([*rows, *rows[:50]])
    assert not set(train) & set(heldout)
    assert 0.05 < len(heldout) / len(train + heldout) < 0.15
    assert [row for row in [*rows, *rows[:50]] if row in set(train)] == train
