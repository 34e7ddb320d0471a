"""Named checks of a run: each would fail for one fault that makes results worthless.

Unshifted labels, a mask that lets tokens see later ones, a recipe that does not reach the optimizer or the weights,
an untrained loss that no untrained model has, a loss below the entropy of the source, and a wrong count of bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.data.token_data import Tokens
from slimlm.evaluation.bits import HeldoutLoss
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.groups import group_of, group_rules
from slimlm.train.step import TrainStep, split_windows

_CAUSALITY_TOKENS = 64
_FEW_TOKENS = 16


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    passed: bool
    detail: str

    @classmethod
    def from_record(cls, record: Any) -> "Check":
        """Return the check of a record that `dataclasses.asdict` has made; raises TypeError for another one."""
        if not isinstance(record, dict) or record.keys() != {"name", "passed", "detail"}:
            raise TypeError("a check has a name, an outcome and a detail")
        found = cls(**record)
        texts = (found.name, found.detail)
        if type(found.passed) is not bool or not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise TypeError("a check has texts and an outcome")
        return found


def check_targets(windows: Tensor) -> Check:
    """Check that each target of a batch of windows (S, T + 1) is the token after its input."""
    inputs, targets = split_windows(windows)
    shifted = inputs.shape == targets.shape and torch.equal(inputs[:, 1:], targets[:, :-1])
    same = inputs.numel() > _FEW_TOKENS and torch.equal(inputs, targets)
    # Of few tokens, which a text may repeat, the places tell instead of the ids.
    same |= torch.equal(*split_windows(torch.arange(windows.numel()).view_as(windows)))
    return Check("shifted targets", shifted and not same, "targets are the inputs" if same else "one token ahead")


def check_causality(model: LanguageModel, windows: Tensor) -> Check:
    """Check that the last token changes no logits before it."""
    ids = windows[:1, : min(_CAUSALITY_TOKENS, windows.shape[1] - 1)].to(model.token_embedding.weight.device)
    changed = ids.clone()
    changed[:, -1] = (changed[:, -1] + 1) % model.architecture.vocab_size
    with undisturbed(model):
        before, after = model(ids)[0][:, :-1], model(changed)[0][:, :-1]
        leak = float((before - after).abs().max()) if ids.shape[1] > 1 else 0.0
        scale = float(before.abs().max()) if ids.shape[1] > 1 else 1.0
    return Check("causality", leak <= 1e-4 * max(1.0, scale), f"the last token moves earlier logits by {leak:.1e}")


def check_recipe(step: TrainStep, *, untrained: bool) -> Check:
    """Check that optimizers, dropout and (before training) initial weights are what the recipe says."""
    wrong = [*_wrong_settings(step), *_wrong_dropout(step), *(_wrong_scales(step) if untrained else ())]
    return Check("recipe in effect", not wrong, "; ".join(wrong) or f"recipe {step.recipe.digest[:12]}")


def _wrong_settings(step: TrainStep) -> list[str]:
    recipe, rules = step.recipe, group_rules(step.model.architecture, step.recipe)
    wrong = []
    for found in step.optimizers.settings():
        rule = rules[found["name"]]
        decays = {0.0, rule.weight_decay}
        expected: dict[str, Any] = {"base_lr": recipe.learning_rate * rule.learning_rate}
        if "betas" in found:
            expected |= {"betas": (recipe.beta1, recipe.beta2), "eps": rule.eps}
        wrong += [f"{found['name']}: {key}={found[key]}" for key, value in expected.items() if found[key] != value]
        if found["weight_decay"] not in decays:
            wrong.append(f"{found['name']}: weight_decay={found['weight_decay']}")
    decayed = {found["name"] for found in step.optimizers.settings() if found["weight_decay"]}
    if recipe.weight_decay and decayed != {"hidden", "output"} & {
        found["name"] for found in step.optimizers.settings()
    }:
        wrong.append(f"weight decay of {sorted(decayed)}")
    return wrong


def _wrong_dropout(step: TrainStep) -> list[str]:
    arch, given = step.model.architecture, step.recipe.dropout
    hidden, attention = (arch.dropout, arch.attention_dropout) if given is None else (given, given)
    return [
        f"{name}: dropout={found}"
        for name, module in step.model.named_modules()
        for found, expected in (
            (getattr(module, "p", hidden) if isinstance(module, torch.nn.Dropout) else hidden, hidden),
            (getattr(module, "attention_dropout", attention), attention),
        )
        if found != expected
    ][:1]


def _wrong_scales(step: TrainStep) -> list[str]:
    rules = group_rules(step.model.architecture, step.recipe)
    wrong = []
    for name, weight in step.model.named_parameters():
        std = rules[group_of(name, step.model.architecture)].std
        if weight.ndim > 1 and std is not None:
            found = float(weight.detach().std())
            if abs(found / std - 1) > 0.02 + 5 / math.sqrt(2 * weight.numel()):
                wrong.append(f"{name}: initial std {found:.4g} instead of {std:.4g}")
    return wrong[:1]


def initial_loss_limits(architecture: Architecture, recipe: TrainRecipe, repeated: float = 0.0) -> tuple[float, float]:
    """Return the least and the most mean loss of a batch, in nats, that the untrained model may have.

    The final norm gives hidden states of length √d_model, so logits are normal with standard deviation s = σ · √d_model
    for weights of the head of standard deviation σ, and the mean loss is ln V + s²/2. With a tied head a token's own
    logit is higher, by σ · d_model at most, which it would be if the hidden state were its embedding alone; where the
    target is that token again, as in a share `repeated` of the batch, the loss is lower by as much. The margin
    allows for few distinct targets in a batch, and for few targets: five standard errors of their logits.
    """
    rules = group_rules(architecture, recipe)
    tied, width = architecture.tied_lm_head, architecture.d_model
    std = (rules["embedding" if tied else "head"].std or 0.0) * rules["final_norm"].scale
    spread = std * math.sqrt(width)
    errors = 5 / math.sqrt(recipe.batch_tokens)
    uniform, margin = math.log(architecture.vocab_size), 0.1 + max(0.5, errors) * spread
    others = uniform + spread**2 / 2
    own = repeated * std * width if tied else 0.0
    return uniform - margin - own, (float(np.logaddexp(others, std * width)) if tied else others) + margin


def repeated_share(windows: Tensor) -> float:
    """Return the share of the targets of a batch of windows (S, T + 1) that are the token before them again."""
    return float((windows[:, 1:] == windows[:, :-1]).double().mean())


def check_initial_loss(loss: float, architecture: Architecture, recipe: TrainRecipe, repeated: float = 0.0) -> Check:
    """Check the loss of the first step, which is that of the untrained model."""
    low, high = initial_loss_limits(architecture, recipe, repeated)
    return Check("initial loss", low <= loss <= high, f"{loss:.3f} nats, expected {low:.3f} to {high:.3f}")


def check_floor(losses: Sequence[HeldoutLoss], entropy: float | None) -> Check:
    """Check that no held-out loss is below the entropy of the source, beyond the noise of a finite split."""
    below = [
        loss.nats_per_token
        for loss in losses
        if entropy is not None and loss.nats_per_token < entropy - max(0.01, 4 / math.sqrt(loss.tokens))
    ]
    if entropy is None:
        return Check("loss floor", True, "the entropy of the source is not known")
    return Check("loss floor", not below, f"{min(below, default=entropy):.4f} nats, entropy {entropy:.4f}")


def check_units(loss: HeldoutLoss, split: Tokens, token_lengths: NDArray[np.int64], unit: str) -> Check:
    """Check that the scored length is that of all tokens but the first, special tokens in neither sum."""
    lengths = token_lengths[np.asarray(split[1:], dtype=np.int64)]
    expected = int(lengths.sum()), int((lengths > 0).sum())
    passed = (loss.units, loss.tokens) == expected
    return Check(f"{unit} count", passed, f"{loss.units:,} {unit}s scored, {expected[0]:,} in the split")
