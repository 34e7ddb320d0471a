"""Minimal pairs: how often a model finds the acceptable sentence more probable than the other.

The format is that of BLiMP (Warstadt et al. 2020, "BLiMP: The Benchmark of Linguistic Minimal Pairs for English",
arXiv 1912.00582): JSON Lines with `sentence_good` and `sentence_bad`, one file a paradigm.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from slimlm.evaluation.continuations import TextEncoder, encode_continuation, score_continuations
from slimlm.evaluation.jsonl import read_lines, sample_items, text_of
from slimlm.evaluation.score import Score, accuracy, mean_score
from slimlm.model.language_model import LanguageModel

CHANCE = 0.5

_BEFORE = " "
"""In front of each sentence: text has a space there, and lm_eval writes one."""


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in one respect; the first is acceptable."""

    good: str
    bad: str


Paradigms = Mapping[str, Sequence[Pair]]
"""Pairs by the phenomenon that they test."""


@dataclass(frozen=True)
class PairScores:
    """How a model does on minimal pairs."""

    credits: Mapping[str, tuple[float, ...]]
    """For each pair of a paradigm: 1 when the good sentence is more probable, 0.5 when both are alike, else 0."""

    @property
    def paradigms(self) -> dict[str, Score]:
        """Accuracy of each paradigm."""
        return {name: accuracy(credits, [CHANCE] * len(credits)) for name, credits in self.credits.items()}

    @property
    def mean(self) -> Score:
        """Mean of the paradigms' accuracies, the figure that BLiMP reports."""
        return mean_score(list(self.paradigms.values()))


def read_pairs(path: Path) -> dict[str, list[Pair]]:
    """Read minimal pairs: one .jsonl file, or all of a folder; a file's name without its ending is its paradigm.

    Raises ValueError, in one sentence, for a folder without such files, and for a file or line that cannot be read.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"folder={str(path)!r} holds no .jsonl files: one for each paradigm would work")
    return {
        file.stem: [
            Pair(text_of(item, "sentence_good", place), text_of(item, "sentence_bad", place))
            for place, item in read_lines(file)
        ]
        for file in files
    }


def sample_pairs(paradigms: Paradigms, share: float, seed: int = 0) -> dict[str, list[Pair]]:
    """Return a share of each paradigm's pairs, at least one of each; one seed always gives the same pairs.

    Raises FieldError for a share that is not above 0 and at most 1.
    """
    return {name: sample_items(pairs, share, f"{seed} {name}") for name, pairs in paradigms.items()}


def score_pairs(model: LanguageModel, tokenizer: TextEncoder, paradigms: Paradigms) -> PairScores:
    """Compare the log-probabilities of whole sentences, each after the token that starts a document and a space.

    It works for any architecture and tokenizer. Random numbers and the mode of the model stay as they were.

    Raises ValueError for no pairs, and for a tokenizer with other ids than the model's.
    """
    if not all(paradigms.values()) or not paradigms:
        raise ValueError("there are no pairs to score: at least one pair in each paradigm would work")
    sentences = [text for pairs in paradigms.values() for pair in pairs for text in (pair.good, pair.bad)]
    requests = [encode_continuation(tokenizer, "", _BEFORE + sentence) for sentence in sentences]
    nats = [score.nats for score in score_continuations(model, requests)]
    credits = iter(_credits(nats))
    return PairScores({name: tuple(islice(credits, len(pairs))) for name, pairs in paradigms.items()})


def _credits(nats: Sequence[float]) -> Iterator[float]:
    """Yield the credit of each pair; a tie is a guess."""
    for good, bad in zip(nats[::2], nats[1::2], strict=True):
        yield CHANCE if good == bad else float(good < bad)
