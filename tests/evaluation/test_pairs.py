"""Minimal pairs: comparisons of whole sentences, accuracies with their noise, seeded samples, files."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.core.architecture import Architecture
from slimlm.evaluation.pairs import Pair, PairScores, read_pairs, sample_pairs, score_pairs
from tests.evaluation.toys import ARCHITECTURES, SENTENCES, model_of, plain_nats, tokenizer, write_lines
from tests.native import SMALL_LLAMA, built

PAIRS = [Pair(*couple) for couple in zip(SENTENCES[::2], SENTENCES[1::2], strict=True)]
PARADIGMS = {"first": PAIRS[:30], "second": PAIRS[30:]}


@pytest.mark.parametrize("base", ARCHITECTURES)
def test_the_more_probable_sentence_wins(base: Architecture) -> None:
    model, known = model_of(base), tokenizer()

    def nats(sentence: str) -> float:
        return plain_nats(model, [known.bos_id], known.encode(" " + sentence))

    found = score_pairs(model, known, PARADIGMS).credits
    expected = {
        name: tuple(float(nats(pair.good) < nats(pair.bad)) for pair in pairs) for name, pairs in PARADIGMS.items()
    }
    assert found == expected
    assert {0.0, 1.0} == {*found["first"]}


def test_a_tie_is_a_guess() -> None:
    pair = Pair("The cat sees it.", "The cat sees it.")
    assert score_pairs(model_of(), tokenizer(), {"same": [pair]}).credits == {"same": (0.5,)}


def test_paradigms_have_equal_weight_and_their_noise_adds_up() -> None:
    scores = PairScores({"small": (1.0, 0.0), "large": (1.0, 1.0, 1.0, 0.0)})
    small, large = scores.paradigms.values()
    assert (small.value, large.value, scores.mean.value) == (0.5, 0.75, 0.625)
    assert large.standard_error == pytest.approx(np.std([1, 1, 1, 0], ddof=1) / 2)
    assert scores.mean.standard_error == pytest.approx(math.hypot(0.5, 0.25) / 2)
    assert (scores.mean.chance, scores.mean.items) == (0.5, 6)


def test_the_standard_error_is_the_spread_of_repeated_draws() -> None:
    draws = np.random.default_rng(0)
    means = [PairScores({"a": _flips(draws, 0.8, 50), "b": _flips(draws, 0.5, 50)}).mean for _ in range(1000)]
    spread = float(np.std([mean.value for mean in means]))
    errors = [mean.standard_error for mean in means if mean.standard_error is not None]
    assert float(np.mean(errors)) == pytest.approx(spread, rel=0.08)


def _flips(draws: np.random.Generator, share: float, count: int) -> tuple[float, ...]:
    return tuple((draws.random(count) < share).astype(float).tolist())


# Samples


def test_a_sample_depends_on_its_seed_alone() -> None:
    found = sample_pairs(PARADIGMS, 0.1, seed=3)
    assert {name: len(pairs) for name, pairs in found.items()} == {"first": 3, "second": 2}
    assert found == sample_pairs({"second": PAIRS[30:], "first": PAIRS[:30]}, 0.1, seed=3)
    assert found != sample_pairs(PARADIGMS, 0.1, seed=4)
    assert sample_pairs(PARADIGMS, 1) == PARADIGMS
    assert all(len(pairs) == 1 for pairs in sample_pairs(PARADIGMS, 1e-9).values())


@pytest.mark.parametrize("share", [0, 1.5, math.nan])
def test_a_share_is_above_0_and_at_most_1(share: float) -> None:
    with pytest.raises(
        ValueError, match=r"^share=.* is not allowed: it must be above 0 and at most 1; share=0.1 would"
    ):
        sample_pairs(PARADIGMS, share)


# Files


def lines(pairs: list[Pair]) -> list[dict[str, Any]]:
    return [{"sentence_good": pair.good, "sentence_bad": pair.bad, "UID": "any", "pairID": "0"} for pair in pairs]


def test_a_folder_of_paradigms_is_read(tmp_path: Path) -> None:
    for name, pairs in PARADIGMS.items():
        write_lines(tmp_path / f"{name}.jsonl", lines(pairs))
    (tmp_path / "README.md").write_text("no pairs")
    assert read_pairs(tmp_path) == PARADIGMS
    assert read_pairs(tmp_path / "first.jsonl") == {"first": PARADIGMS["first"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": "a"}',
            "^line 2 of x.jsonl has no text in its",
        ),
        (b'\n{"sentence_good": 3, "sentence_bad": "b"}', "^line 2 of x.jsonl has no text in its field 'sentence_good'"),
        (b'{"sentence_good": "a", "sentence_bad": " "}', "^line 1 of x.jsonl has no text in its field 'sentence_bad'"),
        (b'{"sentence_good": "a"', "^line 1 of x.jsonl is not JSON: "),
        (b'{"sentence_good": "\xff"}', "^line 1 of x.jsonl is not UTF-8 text: byte 19 cannot be read"),
        (b"[1]", "^line 1 of x.jsonl is not a JSON object: one with fields and values would work"),
        (b"[" * 100_000, "^line 1 of x.jsonl is nested too deeply"),
        (b"\n \n", "^x.jsonl holds no lines: it must have at least one"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_pairs(tmp_path)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no .jsonl files: one for each paradigm would work$"):
        read_pairs(tmp_path)
    with pytest.raises(ValueError, match=r"^x.jsonl cannot be read: No such file or directory"):
        read_pairs(tmp_path / "x.jsonl")


def test_a_tokenizer_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the tokenizer gives id \d+, but the model has 40 tokens"):
        score_pairs(built(SMALL_LLAMA), tokenizer(), PARADIGMS)


def test_no_pairs_are_refused() -> None:
    nothing: tuple[dict[str, list[Pair]], ...] = ({}, {"agreement": []})
    for paradigms in nothing:
        with pytest.raises(ValueError, match=r"^there are no pairs to score: "):
            score_pairs(model_of(), tokenizer(), paradigms)


def test_half_of_a_surrogate_pair_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(r'{"sentence_good": "\ud83d", "sentence_bad": "b"}')
    with pytest.raises(ValueError, match=r"^line 1 of a\.jsonl has half a surrogate pair in its field 'sentence_good'"):
        read_pairs(tmp_path / "a.jsonl")
