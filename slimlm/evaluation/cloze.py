"""Cloze and multiple-choice tasks: bits per byte of the right answer, and accuracy.

Bits per byte of the right answer change smoothly with training, where the accuracy of a small model stays at chance.
The formats are those of llm-foundry, in JSON Lines: `context` and `continuation` (the last word of LAMBADA),
`query`, `choices` and `gold` (multiple choice), `context_options`, `continuation` and `gold` (Winograd schemas).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from slimlm.evaluation.continuations import TextEncoder, encode_continuation, score_continuations, scored_bytes
from slimlm.evaluation.jsonl import read_lines, text_of
from slimlm.evaluation.score import Score, accuracy, bits_per_byte
from slimlm.model.language_model import LanguageModel
from slimlm.utils.text import shown


@dataclass(frozen=True)
class ClozeItem:
    """One question: for each alternative a context and the answer that follows it, and which alternative is right."""

    contexts: tuple[str, ...]
    answers: tuple[str, ...]
    gold: int

    @property
    def chance(self) -> float:
        """Probability that a guess is right; 0 for an open question, which has one alternative."""
        return 1 / len(self.answers) if len(self.answers) > 1 else 0.0


@dataclass(frozen=True)
class ClozeScores:
    """How a model does on a task."""

    items: tuple[ClozeItem, ...]
    nats: tuple[tuple[float, ...], ...]
    """−ln p of each alternative of each item."""
    gold_bytes: tuple[int, ...]
    """Bytes of the scored tokens of the right answer of each item."""
    gold_is_greedy: tuple[bool, ...]
    """Whether greedy decoding would write the right answer."""

    @property
    def bits_per_byte(self) -> Score:
        """Bits per byte of the right answers."""
        gold = [nats[item.gold] for item, nats in zip(self.items, self.nats, strict=True)]
        return bits_per_byte(gold, self.gold_bytes)

    @property
    def credits(self) -> tuple[float, ...]:
        """For each item: 1 when the right answer is the most probable one, a part of it in a tie, else 0.

        An open question counts as answered when greedy decoding would write the right answer.
        """
        return tuple(
            _credit(nats, item.gold) if len(nats) > 1 else float(greedy)
            for item, nats, greedy in zip(self.items, self.nats, self.gold_is_greedy, strict=True)
        )

    @property
    def accuracy(self) -> Score:
        """Share of items that are answered rightly."""
        return accuracy(self.credits, [item.chance for item in self.items])


def read_cloze(file: Path, before_answer: str = " ") -> list[ClozeItem]:
    r"""Read a task; `before_answer` stands between context and answer, as in "\nAnswer: ".

    Raises ValueError, in one sentence, for a file or a line that cannot be read, and for one of another format.
    """
    return [_item(item, place, before_answer) for place, item in read_lines(file)]


def score_cloze(model: LanguageModel, tokenizer: TextEncoder, items: Sequence[ClozeItem]) -> ClozeScores:
    """Score every alternative of each item, given its context after the token that starts a document.

    It works for any architecture and tokenizer. Where a context is longer than the model takes, its start is left out.
    Random numbers and the mode of the model stay as they were.

    Raises ValueError for a tokenizer with other ids than the model's.
    """
    requests = [
        encode_continuation(tokenizer, context, answer)
        for item in items
        for context, answer in zip(item.contexts, item.answers, strict=True)
    ]
    found = iter(list(zip(requests, score_continuations(model, requests), strict=True)))
    groups = [tuple(islice(found, len(item.answers))) for item in items]
    golds = [group[item.gold] for item, group in zip(items, groups, strict=True)]
    return ClozeScores(
        tuple(items),
        tuple(tuple(score.nats for _, score in group) for group in groups),
        tuple(scored_bytes(tokenizer, request) for request, _ in golds),
        tuple(score.is_greedy for _, score in golds),
    )


def _credit(nats: Sequence[float], gold: int) -> float:
    best = min(nats)
    return float(nats[gold] == best) / sum(value == best for value in nats)


def _item(item: dict[str, Any], place: str, before: str) -> ClozeItem:
    for fields, build in _FORMATS.items():
        if set(fields) <= item.keys():
            return build(item, place, before)
    forms = " or ".join(f"({', '.join(fields)})" for fields in _FORMATS)
    raise ValueError(f"{place} is no cloze item: it must have the fields {forms}")


def _open(item: dict[str, Any], place: str, before: str) -> ClozeItem:
    return ClozeItem((text_of(item, "context", place) + before,), (text_of(item, "continuation", place),), 0)


def _multiple_choice(item: dict[str, Any], place: str, before: str) -> ClozeItem:
    context, choices = text_of(item, "query", place) + before, _texts(item, "choices", place)
    return ClozeItem((context,) * len(choices), choices, _gold(item, len(choices), place))


def _schema(item: dict[str, Any], place: str, before: str) -> ClozeItem:
    contexts, answer = _texts(item, "context_options", place), text_of(item, "continuation", place)
    return ClozeItem(
        tuple(context + before for context in contexts),
        (answer,) * len(contexts),
        _gold(item, len(contexts), place),
    )


_FORMATS: dict[tuple[str, ...], Callable[[dict[str, Any], str, str], ClozeItem]] = {
    ("query", "choices", "gold"): _multiple_choice,
    ("context_options", "continuation", "gold"): _schema,
    ("context", "continuation"): _open,
}


def _texts(item: dict[str, Any], field: str, place: str) -> tuple[str, ...]:
    texts = item[field]
    if not isinstance(texts, list) or len(texts) < 2:
        raise ValueError(f"{place} must have at least two texts in its field {field!r}")
    return tuple(text_of({field: text}, field, place) for text in texts)


def _gold(item: dict[str, Any], count: int, place: str) -> int:
    gold = item["gold"]
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < count:
        raise ValueError(f"{place} has gold={shown(gold)}: it must be the number of an alternative, 0 to {count - 1}")
    return gold
