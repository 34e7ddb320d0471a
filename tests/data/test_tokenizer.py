"""Byte-level tokenizers: every byte is kept and counted, the size is exact, and the same text gives the same file."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers
from tokenizers import Tokenizer as Inner
from tokenizers.pre_tokenizers import ByteLevel

from slimlm.data.tokenizer import SEPARATOR, Tokenizer, load_tokenizer, pieces, train_tokenizer
from slimlm.utils.validation import FieldError
from tests.data.texts import prose, small_tokenizer

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab \n’é🙂1.\t")


@settings(deadline=None)
@given(TEXTS)
@example(f"a {SEPARATOR} b")
@example("‘’ é e\u0301 日本語 🙂 \u2028 \r\n\0")
def test_every_byte_of_a_text_is_kept_and_counted(text: str) -> None:
    tokenizer = small_tokenizer()
    ids = tokenizer.encode(text)
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
    assert sum(tokenizer.lengths[ids]) == len(text.encode())
    assert tokenizer.decode(ids) == text
    assert tokenizer.bos_id not in ids


@settings(deadline=None)
@given(TEXTS | st.text("a b"), st.integers(1, 5))
@example("don't stop  \n\n  now 1 2", 1)
def test_parts_of_a_text_have_the_tokens_of_the_whole(text: str, length: int) -> None:
    tokenizer, found = small_tokenizer(), list(pieces(text, length))
    assert "".join(found) == text
    assert all(found)
    assert all(len(piece) <= 4 * length for piece in found)
    if all(piece.startswith(" ") for piece in found[1:]):  # not cut elsewhere for want of such a place
        whole = Inner.from_str(tokenizer.to_json()).encode(text.replace(SEPARATOR, "")).ids
        assert [token for ids in tokenizer.encode_pieces(found) for token in ids] == whole


def test_long_texts_are_encoded_in_parts() -> None:
    text = prose(200_000)
    assert small_tokenizer().encode(text) == Inner.from_str(small_tokenizer().to_json()).encode(text).ids
    assert len(list(pieces(text))) == 4
    assert [len(piece) for piece in pieces("x" * 600_000)] == [262_144, 262_144, 75_712]


def test_the_256_bytes_one_separator_and_merges_fill_the_vocabulary() -> None:
    tokenizer = small_tokenizer()
    assert (tokenizer.vocab_size, tokenizer.bos_id) == (600, 0)
    contents = [tokenizer.token_bytes(number) for number in range(600)]
    assert contents[0] == b""
    assert sorted(contents[1:257]) == [bytes([byte]) for byte in range(256)]
    assert len(set(contents)) == 600
    assert tokenizer.lengths.tolist() == [len(content) for content in contents]
    assert b" whale" in contents or b" the" in contents


def test_only_the_smallest_vocabulary_has_no_merges() -> None:
    tokenizer = train_tokenizer(["abab" * 99], 257)
    assert [tokenizer.token_bytes(number) for number in tokenizer.encode("abé")] == [b"a", b"b", b"\xc3", b"\xa9"]


def test_the_same_text_gives_the_same_file_with_any_number_of_threads(tmp_path: Path) -> None:
    script = (
        "from tests.data.texts import prose; from slimlm.data.tokenizer import train_tokenizer\n"
        "print(train_tokenizer([prose(60_000)], 600).digest)"
    )
    alone = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout.strip() == small_tokenizer().digest
    small_tokenizer().save(tmp_path / "tokenizer.json")
    assert hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest() == small_tokenizer().digest


def test_a_saved_tokenizer_is_the_same_here_and_in_transformers(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    file, text = tmp_path / "tokenizer.json", prose(3000)
    small_tokenizer().save(file)
    loaded = load_tokenizer(file)
    ids = loaded.encode(text)
    assert ids == small_tokenizer().encode(text)
    assert (loaded.digest, loaded.bos_id) == (small_tokenizer().digest, 0)
    judge = PreTrainedTokenizerFast(tokenizer_file=str(file))  # type: ignore[no-untyped-call]
    assert judge(text)["input_ids"] == ids
    assert judge.decode(ids, clean_up_tokenization_spaces=False) == text


def test_tokenizers_from_elsewhere_keep_their_ids_and_their_own_separator(tmp_path: Path) -> None:
    inner = Inner.from_str(small_tokenizer().to_json().replace(SEPARATOR, "<pad>"))
    inner.add_special_tokens(["<s>"])
    inner.add_tokens([AddedToken("naïve", normalized=False)])
    inner.enable_truncation(2)
    inner.enable_padding(length=9)
    inner.save(str(tmp_path / "tokenizer.json"))
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert (loaded.vocab_size, loaded.bos_id) == (602, 600)
    assert loaded.encode("a naïve <s>")[-5:] != [600]
    assert loaded.lengths[[0, 600, 601]].tolist() == [0, 0, len("naïve".encode())]
    assert sum(loaded.lengths[loaded.encode("a naïve <s>")]) == len("a naïve <s>".encode())


def changed(**members: Any) -> str:
    """Return the file of a tokenizer with other members."""
    return json.dumps(json.loads(small_tokenizer().to_json()) | members)


def words() -> str:
    inner = Inner(models.WordLevel({"the": 0, "whale": 1}, unk_token="the"))
    return inner.to_str()


def foreign() -> str:
    merged = {token: number for number, token in enumerate([*sorted(ByteLevel.alphabet()), "▁a"])}
    inner = Inner(models.BPE(merged, []))
    inner.add_special_tokens(["<s>"])
    return inner.to_str()


BAD = {
    "no JSON": ("{", "is no tokenizer.json that can be read: "),
    "another file": ('{"vocab_size": 3}', "is no tokenizer.json that can be read: "),
    "words": (words(), "is no byte-level tokenizer: it has no tokens for 256 of the 256 bytes"),
    "SentencePiece": (foreign(), 'is no byte-level tokenizer: its token "▁a" holds "▁", which stands for no byte'),
    "subwords": (
        changed(model=json.loads(small_tokenizer().to_json())["model"] | {"continuing_subword_prefix": "##"}),
        'is no byte-level tokenizer: it has the continuing_subword_prefix "##"',
    ),
    "no separator": (changed(added_tokens=[]), "is no byte-level tokenizer: it has no special token to stand in front"),
    "normalizer": (changed(normalizer={"type": "Lowercase"}), "is no byte-level tokenizer: it changes a text before"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_file_of_another_kind_gets_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"tokenizer.json {message}"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tokenizer.json cannot be read: No such file or directory"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_vocabulary_that_cannot_be_had_is_refused_with_one_that_can() -> None:
    with pytest.raises(FieldError, match=r"vocab_size=256 is not allowed: it must be at least 257: .*=257 would work"):
        train_tokenizer(["text"], 256)
    with pytest.raises(FieldError, match="the text supports at most 259 tokens; vocab_size=259 would work") as caught:
        train_tokenizer(["the the"], 300)
    (_, most), *_ = caught.value.remedies
    assert train_tokenizer(["the the"], most).vocab_size == most


@pytest.mark.parametrize(
    ("vocab_size", "message"),
    [
        (0, r"vocab_size=0 is not allowed: .*; vocab_size=257 would work$"),
        (True, r"vocab_size=True is not allowed: .*; vocab_size=257 would work$"),
        (10**12, r"a tokenizer has at most 1,048,576 tokens; vocab_size=1048576 would work$"),
    ],
)
def test_an_impossible_vocabulary_is_refused_before_the_trainer_takes_memory(vocab_size: int, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        train_tokenizer([], vocab_size)


def test_half_of_a_surrogate_pair_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^a text has half a surrogate pair, which no UTF-8 text holds$"):
        small_tokenizer().encode("a\ud83d")


def test_unknown_ids_are_refused() -> None:
    for number in (-1, 600):
        with pytest.raises(ValueError, match=f"the id {number} has no token: ids from 0 to 599 would work"):
            small_tokenizer().decode([number])


def test_bytes_of_half_a_character_decode_to_a_replacement() -> None:
    ids = small_tokenizer().encode("é")
    assert small_tokenizer().decode(ids[:1]) == "\ufffd"


def test_lengths_of_decoded_text_would_be_wrong() -> None:
    """Why the length of a token is that of its own bytes: decoded alone, part of a character has three."""
    tokenizer: Tokenizer = small_tokenizer()
    ids = tokenizer.encode("🙂")
    assert sum(tokenizer.lengths[ids]) == 4
    assert sum(len(tokenizer.decode([token]).encode()) for token in ids) == 12


def test_normalizers_are_what_changes_a_text() -> None:
    inner = Inner.from_str(small_tokenizer().to_json())
    inner.normalizer = normalizers.NFC()
    with pytest.raises(ValueError, match="it changes a text before"):
        Tokenizer(inner)
