"""Random requests over every field, out to the widest limits: what the solver answers most slowly is among them."""

import dataclasses
import math
import random
from typing import Any

from slimlm.core.config import ModelConfig
from slimlm.utils.validation import FieldError, Limits

_LARGEST_USUAL = {
    "total_params": 10**13,
    "vocab_size": 262_144,
    "n_layers": 200,
    "n_kv_heads": 64,
    "head_dim": 256,
    "n_experts": 512,
    "experts_per_token": 16,
    "n_shared_experts": 4,
    "d_shared": 16_384,
    "n_dense_layers": 4,
    "d_dense": 65_536,
    "kv_lora_rank": 1024,
    "q_lora_rank": 4096,
    "qk_rope_head_dim": 128,
    "v_head_dim": 256,
    "max_seq_length": 131_072,
}
"""Ends of what people ask for, where the limit of a field is far beyond it."""

_OF_MIXTURES = {"n_dense_layers", "d_dense", "n_shared_experts", "d_shared", "experts_per_token", "n_expert_groups"}


def wide_requests(count: int, seed: int = 0) -> list[ModelConfig]:
    """Draw valid requests: each changes some fields, within usual ranges or, in a third of all, within the limits."""
    draw = random.Random(seed)
    return [_request(draw) for _ in range(count)]


def _request(draw: random.Random) -> ModelConfig:
    """Draw fields one by one; one that the others exclude stays at its default, or another takes what suits it."""
    widest, share = draw.random() < 1 / 3, draw.choice([0.15, 0.4, 0.8])
    found = ModelConfig(total_params=_log(draw, 1, 10**15 if widest else 10**13))
    for field in sorted(dataclasses.fields(ModelConfig), key=lambda _: draw.random()):
        if field.name != "total_params" and draw.random() < share:
            found = _changed(found, field.name, _value(draw, field, widest))
    return found


def _changed(config: ModelConfig, name: str, value: Any) -> ModelConfig:
    """Change a field, and another one where only that makes the value valid; change nothing where that does not."""
    try:
        return dataclasses.replace(config, **{name: value})
    except FieldError as error:
        other = next((remedy for remedy in error.remedies if remedy[0] != name), None)
    try:
        return dataclasses.replace(config, **{name: value} | dict([other] if other else []))
    except FieldError:
        return config


def _value(draw: random.Random, field: dataclasses.Field[Any], widest: bool) -> Any:
    if field.type is bool:
        return draw.random() < 0.5
    if options := field.metadata.get("options"):
        return draw.choice(options)
    if allowed := field.metadata.get("letters"):
        return "".join(draw.choice(allowed) for _ in range(draw.randint(1, 6)))
    limits: Limits = field.metadata["limits"]
    if (words := [*limits.words, *([None] if limits.optional else [])]) and draw.random() < 0.3:
        return draw.choice(words)
    if limits.real_valued:
        return draw.choice([draw.uniform(limits.low, limits.high), math.exp(_evenly(draw, limits)), limits.low])
    low = int(limits.low)
    high = int(limits.high) if widest else min(int(limits.high), _LARGEST_USUAL.get(field.name, int(limits.high)))
    return draw.choice([low, high]) if draw.random() < 0.1 else _log(draw, low, high)


def _evenly(draw: random.Random, limits: Limits) -> float:
    return draw.uniform(math.log(max(limits.low, 1e-9)), math.log(limits.high))


def _log(draw: random.Random, low: int, high: int) -> int:
    """Draw a whole number evenly on a log scale."""
    return min(max(round(math.exp(draw.uniform(math.log(low + 1), math.log(high + 1)))) - 1, low), high)
