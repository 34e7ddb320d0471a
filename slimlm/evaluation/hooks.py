"""Evaluation during training: a hook is any function from a model to named numbers.

A metric of one's own is one function:

>>> def largest_weight(model):
...     return {"largest_weight": max(float(weight.abs().max()) for weight in model.parameters())}
"""

from collections.abc import Callable, Mapping

from slimlm.data.token_data import TokenData
from slimlm.evaluation.bits import heldout_loss
from slimlm.evaluation.score import Score, ScoreUnit
from slimlm.model.language_model import LanguageModel

Hook = Callable[[LanguageModel], Mapping[str, float]]
"""Called between steps. It may use random numbers and change modes only within `undisturbed`."""

Evaluation = Callable[[LanguageModel], Mapping[str, Score]]
"""Figures with their noise and chance level, by name."""


def as_hook(evaluation: Evaluation) -> Hook:
    """Return a hook that reports the figures of an evaluation, each with its standard error under `…_stderr`."""

    def hook(model: LanguageModel) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, score in evaluation(model).items():
            found[name] = score.value
            if score.standard_error is not None:
                found[f"{name}_stderr"] = score.standard_error
        return found

    return hook


def bits_per_byte_evaluation(data: TokenData, *, length: int, sequences: int = 16) -> Evaluation:
    """Return the evaluation of bits per byte (or symbol) on every held-out split, out of domain ones included.

    A figure is called `<split>.bits_per_byte`, or `<split>.bits_per_symbol`. Windows have `length` tokens, at most as
    many as the model takes.
    """
    unit: ScoreUnit = "bits per byte" if data.unit == "byte" else "bits per symbol"

    def evaluation(model: LanguageModel) -> dict[str, Score]:
        most = min(length, model.architecture.max_seq_length)
        found = {}
        for name, tokens in data.heldout.items():
            loss = heldout_loss(model, tokens, data.token_lengths, length=most, sequences=sequences)
            found[f"{name}.bits_per_{data.unit}"] = Score(loss.bits_per_unit, None, loss.tokens, unit=unit)
        return found

    return evaluation
