"""Evaluation during a run: held-out losses and the caller's hooks, without a trace in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slimlm.data.token_data import TokenData
from slimlm.evaluation.bits import HeldoutLoss, heldout_loss
from slimlm.evaluation.hooks import Hook
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from slimlm.train.checks import Check, check_units


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


def check_heldout(data: TokenData, most_tokens: int | None) -> None:
    """Raise ValueError for held-out tokens of which an evaluation, minutes or hours into a run, could score none."""
    known = min(data.vocab_size, len(data.token_lengths))
    for name, split in data.heldout.items():
        if len(part := split[:most_tokens]) < 2:
            continue
        if (highest := int(split.max())) >= known:
            raise ValueError(f"split {name!r} holds the id {highest:,}: ids below {known:,} would work")
        if not data.token_lengths[part[1:]].any():
            raise ValueError(
                f"split {name!r} has only special tokens after its first: text, or a higher evaluate_tokens, would work"
            )


def evaluate(
    model: LanguageModel,
    data: TokenData,
    *,
    length: int,
    hooks: Mapping[str, Hook],
    most_tokens: int | None = None,
    beat: Callable[[], object] | None = None,
) -> Evaluation:
    """Evaluate a model on at most `most_tokens` of each held-out split, and by hooks; `beat` is called in between.

    Raises ValueError for a hook that changes the weights, or returns something else than numbers by new names.
    """
    figures: dict[str, float] = {}
    losses: dict[str, HeldoutLoss] = {}
    checks: list[Check] = []
    for name, split in data.heldout.items():
        part = split[:most_tokens]
        if len(part) < 2:
            continue
        losses[name] = loss = heldout_loss(model, part, data.token_lengths, length=length, beat=beat)
        checks.append(check_units(loss, part, data.token_lengths, data.unit))
        figures[f"{name}.nats_per_token"] = loss.nats_per_token
        figures[f"{name}.bits_per_{data.unit}"] = loss.bits_per_unit
    for name, hook in hooks.items():
        if beat:
            beat()
        before = _versions(model)
        with undisturbed(model):
            found = _numbers(name, hook(model))
        if _versions(model) != before:
            raise ValueError(f"hook {name!r} changed the model's weights: one that changes a copy would work")
        if taken := figures.keys() & found.keys():
            raise ValueError(f"hook {name!r} returned {min(taken)!r}, which is there already: another name would work")
        figures |= found
    return Evaluation(figures, losses, tuple(checks))


def _versions(model: LanguageModel) -> list[tuple[int, int, bool]]:
    """Return what changes when a parameter is written, replaced or frozen; nothing is copied."""
    return [(weight.data_ptr(), weight._version, weight.requires_grad) for weight in model.parameters()]


def _numbers(name: str, found: Mapping[str, float]) -> dict[str, float]:
    try:
        return {f"{name}.{key}": float(value) for key, value in found.items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"hook {name!r} must return a mapping of names to numbers") from None
