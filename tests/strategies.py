"""Hypothesis strategies that build valid requests and architectures, and an independent count and search.

The count is one line of arithmetic and the search tries everything: neither uses the package's account or solver.
"""

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture, Choices
from slimlm.core.config import ModelConfig
from slimlm.core.expert_choices import ExpertChoices
from slimlm.utils.validation import Limits
from tests.mixtures import expert_params, extras, latent_params


def log_spaced(low: int, high: int) -> st.SearchStrategy[int]:
    """Draw whole numbers whose logarithms are spread evenly, both ends included."""
    exponents = st.floats(math.log(low), math.log(high))
    return exponents.map(lambda exponent: min(max(round(math.exp(exponent)), low), high))


def options_of(cls: type, name: str) -> tuple[str, ...]:
    """Return the words that a field takes; none when it takes numbers or a switch."""
    field = next(field for field in dataclasses.fields(cls) if field.name == name)
    options: tuple[str, ...] = field.metadata.get("options", ())
    return options


def limits_of(cls: type, name: str) -> Limits:
    """Return the limits that a numeric field declares."""
    declared = next(field for field in dataclasses.fields(cls) if field.name == name)
    limits: Limits = declared.metadata["limits"]
    return limits


def anything_allowed(cls: type, name: str) -> st.SearchStrategy[Any]:
    """Draw any value that a field takes, its ends and None included."""
    field = next(field for field in dataclasses.fields(cls) if field.name == name)
    if field.type is bool:
        return st.booleans()
    if options := field.metadata.get("options"):
        return st.sampled_from(options)
    if allowed := field.metadata.get("letters"):
        return st.text(allowed, min_size=1, max_size=field.metadata["longest"])
    limits = limits_of(cls, name)
    if limits.real_valued:
        others = [*limits.words, *([None] if limits.optional else [])]
        return st.floats(limits.low, limits.high) | (st.sampled_from(others) if others else st.nothing())
    low, high = int(limits.low), int(limits.high)
    numbers = log_spaced(max(1, low), high) | st.sampled_from([low, high])
    return st.none() | numbers if limits.optional else numbers


@st.composite
def structures(draw: st.DrawFn, most_heads: int = 16) -> dict[str, Any]:
    """Draw heads, norms, positions, feed-forwards, biases and blocks that go together."""
    n_heads = draw(st.integers(1, most_heads))
    divisors = [count for count in range(1, n_heads + 1) if n_heads % count == 0]
    words = ("norm", "positions", "ffn", "bias", "qk_norm", "block")
    chosen: dict[str, Any] = {name: draw(anything_allowed(Choices, name)) for name in words}
    grain = 2 if chosen["positions"] == "rope" else 1
    return chosen | {
        "n_heads": n_heads,
        "n_kv_heads": draw(st.none() | st.sampled_from(divisors)),
        "head_dim": draw(st.none() | st.integers(1, 32).map(lambda width: grain * width)),
        "lm_head_bias": draw(st.booleans()),
        "embedding_norm": draw(st.booleans()),
        "position_offset": draw(st.integers(0, 3)) if chosen["positions"] == "learned" else 0,
        "rope_theta": draw(st.sampled_from([10_000.0, 500_000.0])),
    }


@st.composite
def attention_options(draw: st.DrawFn, positions: str) -> dict[str, Any]:
    """Draw windows, patterns, rotation, factors and caps that go together."""
    rope = positions == "rope"
    pattern = draw(st.text("fwn" if rope else "fw", min_size=1, max_size=6))
    windowed = "w" in pattern
    return {
        "window": draw(st.integers(1, 40)) if windowed else None,
        "layer_pattern": pattern,
        "window_rope_theta": draw(st.none() | st.just(500.0)) if windowed and rope else None,
        "rotary_share": draw(st.sampled_from([1.0, 0.5, 0.25, 0.4])) if rope else 1.0,
        "attention_scale": draw(st.none() | st.floats(0.01, 2.0)),
        "attention_softcap": draw(st.none() | st.floats(1.0, 50.0)),
        "logit_softcap": draw(st.none() | st.floats(1.0, 50.0)),
        "embedding_scale": draw(st.sampled_from([1.0, 12.0, 25.298221281347036])),
        "residual_scale": draw(st.sampled_from([1.0, 0.22])),
        "logit_scale": draw(st.sampled_from([1.0, 0.125])),
    }


_EXTRA_FIELDS = {name: ExpertChoices.__dataclass_fields__[name] for name in ExpertChoices.__annotations__}


@st.composite
def any_requests(draw: st.DrawFn) -> ModelConfig:
    """Draw from the whole space of valid requests, out to the widest limits."""
    names = {field.name for field in dataclasses.fields(ModelConfig)}
    structure = draw(structures(most_heads=1024))
    structure |= draw(attention_options(structure["positions"]))
    if draw(st.booleans()):
        structure = draw(extras(structure))
    structure = {name: field.default for name, field in _EXTRA_FIELDS.items()} | structure
    rest = {name: draw(anything_allowed(ModelConfig, name)) for name in sorted(names - structure.keys())}
    return ModelConfig(**fewer_dense_layers(structure | rest))


def fewer_dense_layers(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request with fewer dense first layers than a pinned depth has layers."""
    n_dense = min(fields["n_dense_layers"], (fields["n_layers"] or math.inf) - 1)
    return fields | {"n_dense_layers": n_dense, "d_dense": fields["d_dense"] if n_dense else None}


def requests(low: int, high: int) -> st.SearchStrategy[ModelConfig]:
    """Draw what people ask for, with a total between low and high."""
    return st.builds(
        ModelConfig,
        total_params=log_spaced(low, high),
        vocab_size=log_spaced(256, 262_144),
        embedding_ratio=st.floats(0.01, 0.9),
        glu_expansion=st.floats(0.5, 8.0),
        n_heads=st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128]),
        multiple_of=st.sampled_from([1, 1, 8, 64, 128]),
        n_layers=st.none() | st.none() | st.sampled_from([1, 2, 6, 12, 40, 100]),
        max_seq_length=st.sampled_from([128, 512, 2048]),
        tied_lm_head=st.booleans(),
    )


@st.composite
def structured_requests(draw: st.DrawFn, low: int, high: int) -> ModelConfig:
    """Draw what people ask for, with any structure, in a quarter of all cases with heads for the solver to choose."""
    structure = draw(structures())
    if draw(st.integers(0, 3)) == 0:
        structure |= {"n_heads": "auto", "head_dim": draw(st.sampled_from([None, 32, 128]))}
    return dataclasses.replace(draw(requests(low, high)), **structure)


@st.composite
def impossible_requests(draw: st.DrawFn) -> ModelConfig:
    """Draw requests whose settings allow no model as small as the total."""
    config = draw(requests(10_000_000, 10_000_000))
    smallest = closed_form(config, grain_of(config), config.multiple_of, config.n_layers or 1)
    # The smallest model is more than 0.5 % larger than any total up to here.
    return dataclasses.replace(config, total_params=draw(log_spaced(1, smallest * 990 // 1000)))


@st.composite
def architectures(draw: st.DrawFn, max_layers: int = 4, max_head: int = 32) -> Architecture:
    """Draw small architectures of any structure, down to a single head of width 1."""
    structure = draw(structures())
    grain = width_grain(structure["n_heads"], structure["head_dim"], structure["positions"])
    return Architecture(
        **structure,
        vocab_size=draw(log_spaced(2, 100_000)),
        max_seq_length=draw(log_spaced(1, 4096)),
        tied_lm_head=draw(st.booleans()),
        dropout=draw(st.floats(0.0, 0.99)),
        d_model=grain * draw(st.integers(1, max_head)),
        d_ff=draw(log_spaced(1, 4096)),
        n_layers=draw(st.integers(1, max_layers)),
        n_loops=draw(st.sampled_from([1, 1, 2, 3])),
    )


@st.composite
def mixtures(draw: st.DrawFn, max_layers: int = 4) -> Architecture:
    """Draw small architectures with experts, with latent attention, or with both."""
    plain = draw(architectures(max_layers=max_layers, max_head=4))
    fields = {name: getattr(plain, name) for name in Architecture.__dataclass_fields__}
    changed = draw(extras(fields))
    changed |= {"d_ff": min(plain.d_ff, 64), "n_layers": plain.n_layers + changed["n_dense_layers"]}
    grain = width_grain(changed["n_heads"], changed["head_dim"], changed["positions"])
    return Architecture(**changed | {"d_model": grain * -(-plain.d_model // grain)})


def width_grain(n_heads: int, head_dim: int | None, positions: str) -> int:
    """Return what d_model is a multiple of, as the design document gives it."""
    return 1 if head_dim else n_heads * (2 if positions == "rope" else 1)


def closed_form(
    source: Choices, d_model: int, d_ff: int, n_layers: int, n_heads: int | None = None, *, active: bool = False
) -> int:
    """Count an architecture's parameters, or those that a token uses, by the formula for decoders, not the account.

    N = c·V·d + P·d + L·(2·d·h·k + 2·d·g·k + m·d·ff + biases + norms) + norms outside + the head's bias, with h heads
    and g key-value heads of width k, m matrices in the feed-forward, and w tensors in a norm.
    """
    h = n_heads or source.n_heads
    assert h != "auto"
    given = None if n_heads else source.head_dim
    k, g = given or d_model // h, source.n_kv_heads or h
    w = {"layernorm": 2, "rmsnorm": 1, "layernorm_no_bias": 1, "layernorm_no_params": 0}[source.norm]
    m = 3 if source.ffn in ("swiglu", "geglu", "geglu_tanh") else 2
    of_qkv, of_output, of_ffn = (h + 2 * g) * k, d_model, (m - 1) * d_ff + d_model
    with_qkv, with_output, with_ffn = (
        source.bias in words
        for words in (("qkv", "attention", "all"), ("attention", "output_ffn", "all"), ("ffn", "output_ffn", "all"))
    )
    norms = {"pre_norm": 2, "sandwich_norm": 4, "output_norm": 2, "parallel": 2, "parallel_one_norm": 1}[source.block]
    qk = {"none": 0, "head": 2 * k, "full": (h + g) * k}[source.qk_norm]
    attention = 2 * d_model * (h + g) * k + of_qkv * with_qkv + of_output * with_output + w * qk
    if source.kv_lora_rank is not None:
        attention = latent_params(source, d_model, k, w)
    feed_forwards = n_layers * (m * d_model * d_ff + of_ffn * with_ffn)
    if source.n_experts:
        feed_forwards = expert_params(source, d_model, d_ff, n_layers, active=active)
    positions = source.max_seq_length + source.position_offset if source.positions == "learned" else 0
    outside = w * d_model * (2 if source.embedding_norm else 1) + (source.vocab_size if source.lm_head_bias else 0)
    vocabulary = (1 if source.tied_lm_head else 2) * source.vocab_size * d_model
    return vocabulary + positions * d_model + n_layers * (attention + w * norms * d_model) + feed_forwards + outside


def counted_form(config: ModelConfig, d_model: int, d_ff: int, n_layers: int, n_heads: int | None = None) -> int:
    """Count what the request's budget counts: without the vocabulary's tables where it leaves them out."""
    total = closed_form(config, d_model, d_ff, n_layers, n_heads, active=config.budget == "active")
    tables = (1 if config.tied_lm_head else 2) * config.vocab_size * d_model
    return total - tables if config.budget == "non_embedding" else total


def budget_params(config: ModelConfig) -> Fraction:
    """Return the parameters that the budget asks for: bytes over the bytes of one."""
    sizes = {"fp32": Fraction(4), "bf16": Fraction(2), "int8": Fraction(1), "int4": Fraction(1, 2)}
    return config.total_params / (sizes[config.budget_precision] if config.budget == "bytes" else Fraction(1))


def accepted(config: ModelConfig) -> tuple[int, int]:
    """Return the lowest and the highest counted number within ±0.5 % of the budget."""
    asked = budget_params(config)
    return math.ceil(asked * Fraction(995, 1000)), math.floor(asked * Fraction(1005, 1000))


class Rank(NamedTuple):
    """The order in which designs are preferred, as the design document gives it; heads count where they are free."""

    cost: float
    miss: int
    n_layers: int
    d_model: int
    d_ff: int
    head_miss: float
    n_heads: int


def rank(config: ModelConfig, d_model: int, d_ff: int, n_layers: int, n_heads: int | None = None) -> Rank | None:
    """Place one design in the order; None when its total is more than 0.5 % off."""
    counted, (low, high) = counted_form(config, d_model, d_ff, n_layers, n_heads), accepted(config)
    if not low <= counted <= high:
        return None
    target = max(1, math.floor(budget_params(config)))
    miss, tables = abs(counted - target), (1 if config.tied_lm_head else 2) * config.vocab_size * d_model
    total = target + tables if config.budget == "non_embedding" else target
    if config.embedding_ratio == "auto":
        shape = d_model / n_layers / (46.10 * (total / 1e8) ** 0.1965)
    else:
        odds = 1 - config.embedding_ratio if config.budget == "non_embedding" else 1
        shape = tables / (target * config.embedding_ratio / odds)
    cost = math.log(shape) ** 2 + math.log(d_ff / d_model / config.glu_expansion) ** 2
    if config.n_heads != "auto":
        return Rank(cost, miss, n_layers, d_model, d_ff, 0.0, config.n_heads)
    assert n_heads is not None
    head_miss = abs(math.log(d_model // n_heads / (config.head_dim or 64)))
    return Rank(cost, miss, n_layers, d_model, d_ff, head_miss, n_heads)


def head_counts(config: ModelConfig, d_model: int) -> list[int | None]:
    """Return the numbers of heads to try at a width: None is the one that was asked for."""
    if config.n_heads != "auto":
        return [None]
    whole = [heads for heads in range(1, min(1024, d_model // 16) + 1) if d_model % (2 * heads) == 0]
    return [heads for heads in whole if d_model // heads <= 256 and heads % (config.n_kv_heads or 1) == 0]


def grain_of(config: ModelConfig) -> int:
    """Return what d_model is a multiple of."""
    own = 2 if config.n_heads == "auto" else width_grain(config.n_heads, config.head_dim, config.positions)
    return math.lcm(own, config.multiple_of)


def widths(config: ModelConfig) -> Iterator[tuple[int, int | None]]:
    """Yield every allowed d_model that its tables alone do not make too large, with each number of heads."""
    d_model = grain = grain_of(config)
    rows = 0 if config.budget == "non_embedding" else config.vocab_size
    heads = math.inf if config.n_heads == "auto" or config.head_dim is None else config.n_heads * config.head_dim
    # Queries and the output take 2 · d_model² parameters, unless the width of all heads is given.
    while (rows + 2 * min(heads, d_model)) * d_model <= accepted(config)[1] or d_model == grain:
        yield from ((d_model, n_heads) for n_heads in head_counts(config, d_model))
        d_model += grain


def try_all(config: ModelConfig) -> Rank | None:
    """Try every d_model × heads × n_layers × d_ff, one by one."""
    found: list[Rank] = []
    high = accepted(config)[1]
    for d_model, n_heads in widths(config):
        n_layers = config.n_layers or 1 + config.n_dense_layers
        while counted_form(config, d_model, config.multiple_of, n_layers, n_heads) <= high:
            d_ff = config.multiple_of
            while counted_form(config, d_model, d_ff, n_layers, n_heads) <= high:
                if placed := rank(config, d_model, d_ff, n_layers, n_heads):
                    found.append(placed)
                d_ff += config.multiple_of
            if config.n_layers:
                break
            n_layers += 1
    return min(found, default=None)


def try_all_depths(config: ModelConfig) -> Rank | None:
    """Try every d_model × heads × n_layers, each with the feasible d_ff nearest to the expansion from both sides.

    For one d_model and depth the cost falls up to the asked d_ff and rises after it, so no other d_ff can be the best;
    the depth matters to the cost with embedding_ratio="auto" alone.
    """
    grain, (low, high) = config.multiple_of, accepted(config)
    found: list[Rank] = []
    for d_model, n_heads in widths(config):
        fixed = counted_form(config, d_model, 0, 0, n_heads)
        layer = counted_form(config, d_model, 0, 1, n_heads) - fixed
        step = counted_form(config, d_model, grain, 1, n_heads) - layer - fixed
        deepest = (high - fixed) // (layer + step)
        depths = np.array([config.n_layers]) if config.n_layers else np.arange(1, deepest + 1)
        least = np.maximum(1, -(-(-(-(low - fixed) // depths) - layer) // step))  # d_ff in grains, rounded up
        most = ((high - fixed) // depths - layer) // step
        asked = config.glu_expansion * d_model / grain
        above, below = np.maximum(least, math.ceil(asked)), np.minimum(most, math.floor(asked))
        for f, n_layers in _pairs(config, depths, least, most, above, below):
            if placed := rank(config, d_model, f * grain, n_layers, n_heads):
                found.append(placed)
    return min(found, default=None)


def _pairs(
    config: ModelConfig, depths: np.ndarray, least: np.ndarray, most: np.ndarray, above: np.ndarray, below: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Yield d_ff in grains and depth: for every depth where the depth matters, else for the two best d_ff of all."""
    if config.embedding_ratio == "auto":
        for side, feasible in ((above, above <= most), (below, below >= least)):
            yield from zip(side[feasible].tolist(), depths[feasible].tolist(), strict=True)
        return
    nearest = [int(side.min()) for side in [above[above <= most]] if side.size]
    nearest += [int(side.max()) for side in [below[below >= least]] if side.size]
    for f in nearest:
        yield from ((f, n_layers) for n_layers in depths[(least <= f) & (f <= most)].tolist())
