"""Evaluation during a run: held-out losses and the caller's hooks, without a trace in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slimlm.data.token_data import TokenData
from slimlm.evaluation.bits import HeldoutLoss, heldout_loss
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from slimlm.train.checks import Check, check_units

Hook = Callable[[LanguageModel], Mapping[str, float]]
"""An evaluation: it is given the model in evaluation mode, without gradients, and returns figures by name."""


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found."""

    figures: Mapping[str, float]
    """By "split.nats_per_token", "split.bits_per_byte" (or symbol) and "hook.name"."""
    losses: Mapping[str, HeldoutLoss]
    """By split."""
    checks: tuple[Check, ...]

    @property
    def criterion(self) -> float | None:
        """Nats per token of the first split, by which the best weights are chosen; None without held-out tokens."""
        return next((loss.nats_per_token for loss in self.losses.values()), None)


def evaluate(
    model: LanguageModel, data: TokenData, *, length: int, hooks: Mapping[str, Hook], most_tokens: int | None = None
) -> Evaluation:
    """Evaluate a model on at most `most_tokens` of each held-out split, and by hooks."""
    figures: dict[str, float] = {}
    losses: dict[str, HeldoutLoss] = {}
    checks: list[Check] = []
    for name, split in data.heldout.items():
        part = split[:most_tokens]
        if len(part) < 2:
            continue
        losses[name] = loss = heldout_loss(model, part, data.token_lengths, length=length)
        checks.append(check_units(loss, part, data.token_lengths, data.unit))
        figures[f"{name}.nats_per_token"] = loss.nats_per_token
        figures[f"{name}.bits_per_{data.unit}"] = loss.bits_per_unit
    for name, hook in hooks.items():
        with undisturbed(model):
            found = hook(model)
        figures |= {f"{name}.{key}": float(value) for key, value in found.items()}
    return Evaluation(figures, losses, tuple(checks))
