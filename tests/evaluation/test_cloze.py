"""Cloze and multiple-choice tasks: bits per byte of the right answer, accuracy, formats and their errors."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.core.architecture import Architecture
from slimlm.evaluation import cloze
from slimlm.evaluation.cloze import ClozeItem, ClozeScores, read_cloze, score_cloze
from tests.evaluation.toys import ARCHITECTURES, OBJECTS, SUBJECTS, VERBS, model_of, plain_nats, tokenizer, write_lines
from tests.native import SMALL_LLAMA

CHOICES: list[dict[str, Any]] = [
    {"query": f"{subject} {verb}", "choices": list(OBJECTS[:count]), "gold": number % count}
    for number, (subject, verb, count) in enumerate(
        (subject, verb, count) for subject in SUBJECTS for verb in VERBS for count in (2, 4)
    )
]
SCHEMAS: list[dict[str, Any]] = [
    {"context_options": [f"{subject} sees", f"{subject} was looking for"], "continuation": thing, "gold": 1}
    for subject in SUBJECTS
    for thing in OBJECTS
]
OPEN: list[dict[str, Any]] = [{"context": f"{subject} has never", "continuation": "seen"} for subject in SUBJECTS]


def items_of(lines: list[dict[str, Any]], tmp_path: Path, before: str = " ") -> list[ClozeItem]:
    return read_cloze(write_lines(tmp_path / "task.jsonl", lines), before)


@pytest.mark.parametrize("base", ARCHITECTURES)
@pytest.mark.parametrize("lines", [CHOICES, SCHEMAS, OPEN], ids=["choices", "schemas", "open"])
def test_figures_are_those_of_plain_sums(base: Architecture, lines: list[dict[str, Any]], tmp_path: Path) -> None:
    check_the_plain_sums(base, lines, tmp_path)


def check_the_plain_sums(base: Architecture, lines: list[dict[str, Any]], folder: Path) -> None:
    model, known = model_of(base), tokenizer()
    scores = score_cloze(model, known, items_of(lines, folder))
    nats, size, right = 0.0, 0, 0.0
    for line in lines:
        contexts = line.get("context_options") or [line.get("query") or line["context"]] * len(line.get("choices", "1"))
        answers = line.get("choices") or [line["continuation"]] * len(contexts)
        found = [
            plain_nats(model, [known.bos_id, *known.encode(context)], known.encode(f" {answer}"))
            for context, answer in zip(contexts, answers, strict=True)
        ]
        gold = line.get("gold", 0)
        nats, size = nats + found[gold], size + len(f" {answers[gold]}".encode())
        right += float(int(np.argmin(found)) == gold) if len(found) > 1 else 0
    assert scores.bits_per_byte.value == pytest.approx(nats / size / math.log(2), rel=1e-6)
    if len(scores.nats[0]) > 1:
        assert scores.accuracy.value == pytest.approx(right / len(lines))
        assert 0 < right < len(lines)


def test_chance_is_the_mean_over_items(tmp_path: Path) -> None:
    scores = score_cloze(model_of(), tokenizer(), items_of(CHOICES, tmp_path))
    assert scores.accuracy.chance == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert scores.accuracy.items == scores.bits_per_byte.items == len(CHOICES)


def test_alternatives_that_are_alike_share_the_credit() -> None:
    item = ClozeItem(("a",) * 4, ("b", "b", "c", "d"), 1)
    scores = ClozeScores((item, item), ((1.0, 1.0, 2.0, 3.0), (1.0, 2.0, 1.0, 3.0)), (1, 1), (False, True))
    assert scores.credits == (0.5, 0.0)


def test_an_open_question_is_answered_by_greedy_decoding() -> None:
    item = ClozeItem(("a",), ("b",), 0)
    scores = ClozeScores((item, item), ((1.0,), (1.0,)), (1, 1), (False, True))
    assert (scores.credits, scores.accuracy.chance) == ((0.0, 1.0), 0.0)


def test_what_stands_before_the_answer_belongs_to_the_context(tmp_path: Path) -> None:
    items = items_of(CHOICES, tmp_path, "\nAnswer: ")
    assert items[0] == ClozeItem(("The cat sees\nAnswer: ",) * 2, ("the dog.", "an answer, she said."), 0)
    size = score_cloze(model_of(), tokenizer(), items).gold_bytes[0]
    assert size == len(" the dog.")


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold": 2}, "^line 1 of task.jsonl has gold=2: it must be the number of an alternative, 0 to 1"),
        ({"gold": True}, "^line 1 of task.jsonl has gold=true: it must be the number"),
        ({"gold": "0"}, '^line 1 of task.jsonl has gold="0": it must be the number'),
        ({"choices": ["a"]}, "^line 1 of task.jsonl must have at least two texts in its field 'choices'"),
        ({"choices": ["a", None]}, "^line 1 of task.jsonl has no text in its field 'choices'"),
        ({"query": ""}, "^line 1 of task.jsonl has no text in its field 'query'"),
    ],
)
def test_a_malformed_line_is_refused_in_a_sentence(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        items_of([CHOICES[0] | changes], tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    message = (
        r"^line 1 of task.jsonl is no cloze item: it must have the fields \(query, choices, gold\) or \(context_opt"
    )
    with pytest.raises(ValueError, match=message):
        items_of([{"text": "a"}], tmp_path)


# Planted faults


def test_a_byte_count_of_decoded_text_breaks_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token may hold half a character, which decodes to three bytes that stand for one."""
    known = tokenizer()
    lines = [{"context": "Nobody here sees", "continuation": "naïve 😀 questions…"}]
    check_the_plain_sums(SMALL_LLAMA, lines, tmp_path)

    def decoded_bytes(_: Any, continuation: Any) -> int:
        return sum(len(known.decode([token]).encode()) for token in continuation.target)

    monkeypatch.setattr(cloze, "scored_bytes", decoded_bytes)
    with pytest.raises(AssertionError):
        check_the_plain_sums(SMALL_LLAMA, lines, tmp_path)
