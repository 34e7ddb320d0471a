"""A damaged corpus is refused in one sentence."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.data.corpus import open_corpus
from tests.data.texts import VOCAB


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
