"""The largest differences between models in plain words."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from slimlm.compare.comparison import Comparison
from slimlm.core.architecture import Architecture
from slimlm.core.describe import counted, shape_phrase
from slimlm.notes.note import format_number
from slimlm.utils.formatting import format_share
from slimlm.utils.text import listed

_LEAST_EFFECT = 0.1
"""Relative difference from which on a difference counts."""

_IN_PROPORTION = 1.15
"""Factor within which a cost that grows with the size of the model has no other cause."""


_MOST_RANGES = 2
"""Most ranges that are named besides the difference between the extremes."""


@dataclass(frozen=True)
class _Effect:
    """A quantity whose differences are worth a sentence. Others follow from it."""

    key: str
    noun: str
    less: Literal["less", "fewer"]


_SIZE = _Effect("total_params", "parameters", "fewer")
_SHARE = _Effect("embedding_ratio", "embedding ratio", "less")
_COSTS = (
    # Forward FLOPs, training compute, time, price and the weights that decoding reads follow from it.
    _Effect("training_flops_per_token", "training FLOPs per token", "fewer"),
    _Effect("kv_cache_bytes_per_token", "KV cache per token", "less"),
    # The sum that has to fit: optimiser states, activations and logits.
    _Effect("training_memory_bytes", "training memory", "less"),
)


def effects_sentence(comparison: Comparison) -> str:
    """Say what differs between two models or more, the largest effects first."""
    if comparison.are_equal:
        return f"{listed(comparison.quoted)} are equal in every figure."
    if len(comparison.pins) == 2:
        return f"{_difference(comparison, 1 - comparison.baseline, comparison.baseline)}."
    ranges = list(_ranges(comparison))
    if not ranges:
        return f"The {counted(len(comparison.pins), 'model')} differ by less than 10 % in size and in every main cost."
    return f"{'; '.join(_among_many(comparison, ranges))}."


# Two models.


def _difference(comparison: Comparison, place: int, base: int, *, share: bool = True) -> str:
    """Say what a model needs beside another, with the cause first and the embedding ratio last."""
    size = _ratio(comparison, _SIZE, place, base)
    needs = [_words(_ratio(comparison, cost, place, base), cost) for cost in _costs(comparison, place, base)]
    if followers := [cost.noun for cost in _COSTS if _follows(_ratio(comparison, cost, place, base), size)]:
        needs.append(f"{listed(followers)} in proportion")
    told = f"needs {listed(needs)}" if needs else "differs by less than 10 % in compute, KV cache and training memory"
    ending = _share(comparison, place, base) if share else ""
    return f"{_cause(comparison, place, base, size)}, {comparison.quoted[place]} {told}{ending}"


def _costs(comparison: Comparison, place: int, base: int) -> list[_Effect]:
    """Return the costs that differ and do not just follow from the size, largest difference first."""
    ratios = {cost: _ratio(comparison, cost, place, base) for cost in _COSTS}
    size = _ratio(comparison, _SIZE, place, base)
    found = [cost for cost, ratio in ratios.items() if _counts(ratio) and not _follows(ratio, size)]
    return sorted(found, key=lambda cost: -abs(math.log(ratios[cost])))


def _follows(ratio: float, size: float) -> bool:
    return _counts(size) and _counts(ratio) and abs(math.log(ratio / size)) < math.log(_IN_PROPORTION)


def _cause(comparison: Comparison, place: int, base: int, size: float) -> str:
    """Name the difference in size and shape: "With 6 layers × 272 instead of the 24 × 160 of the other"."""
    one, other, name = _shape(comparison, place), _shape(comparison, base), comparison.quoted[base]
    shapes = f"{_layers(one)} instead of {other.n_layers:,} × {other.d_model:,}"
    equal = (one.n_layers, one.d_model) == (other.n_layers, other.d_model)
    if _counts(size):
        link = "than" if 1 / 2 < size < 2 or 1 / 10 <= size < 1 else "of"
        return f"With {_words(size, _SIZE)} {link} {name} ({f'also {_layers(one)}' if equal else shapes})"
    return f"With the {_layers(one)} of {name}" if equal else f"With {_layers(one)} instead of {_of(other, name)}"


def _layers(architecture: Architecture) -> str:
    return shape_phrase(architecture)


def _of(architecture: Architecture, name: str) -> str:
    return f"the {architecture.n_layers:,} × {architecture.d_model:,} of {name}"


def _share(comparison: Comparison, place: int, base: int) -> str:
    if not _counts(_ratio(comparison, _SHARE, place, base)):
        return ""
    own, other = (format_share(_value(comparison, _SHARE, at)) for at in (place, base))
    return f"; its embedding ratio is {own} instead of {other}"


def _words(ratio: float, effect: _Effect) -> str:
    """Write a ratio: "17 % fewer parameters", "4.5 times the KV cache per token", "1/12 of the parameters"."""
    if ratio >= 2:
        return f"{format_number(ratio)} times the {effect.noun}"
    if ratio < 1 / 10:
        return f"1/{format_number(1 / ratio)} of the {effect.noun}"
    return f"{100 * abs(ratio - 1):.0f} % {'more' if ratio > 1 else effect.less} {effect.noun}"


# More than two.


@dataclass(frozen=True)
class _Range:
    """The models with the least and the most of a quantity."""

    effect: _Effect
    low: int
    high: int

    @property
    def ends(self) -> frozenset[int]:
        """Both models."""
        return frozenset((self.low, self.high))


def _ranges(comparison: Comparison) -> Iterator[_Range]:
    """Yield the quantities that differ over all models."""
    for effect in (_SIZE, *_COSTS, _SHARE):
        order = sorted(range(len(comparison.pins)), key=lambda place: place != comparison.baseline)
        values = {place: _value(comparison, effect, place) for place in order}  # of equal models, the baseline
        low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
        if _counts(_ratio(comparison, effect, high, low)):
            yield _Range(effect, low, high)


def _among_many(comparison: Comparison, ranges: list[_Range]) -> Iterator[str]:
    """Yield the difference between the ends of most ranges, then every other range with its ends."""
    pairs = Counter(found.ends for found in ranges)
    ends = max(pairs, key=pairs.__getitem__)  # the first of several, and size comes first
    others = [found for found in ranges if found.ends != ends]
    low, high = sorted(ends)
    place, base = (low, high) if comparison.baseline == high else (high, low)
    yield _difference(comparison, place, base, share=all(found.effect is not _SHARE for found in others))
    widest = sorted(others, key=lambda found: -_ratio(comparison, found.effect, found.high, found.low))
    for found in widest[:_MOST_RANGES]:
        yield _range_words(comparison, found)
    if not others:
        between = [name for at, name in enumerate(comparison.quoted) if at not in ends]
        yield f"{between[0]} lies between them" if len(between) == 1 else "the others lie between them"


def _range_words(comparison: Comparison, found: _Range) -> str:
    write = comparison.line(found.effect.key).quantity.write_short
    low, high = (write(_value(comparison, found.effect, at)) for at in (found.low, found.high))
    names = comparison.quoted
    return f"the {found.effect.noun} goes from {low} ({names[found.low]}) to {high} ({names[found.high]})"


def _shape(comparison: Comparison, place: int) -> Architecture:
    return comparison.pins[place].architecture


def _value(comparison: Comparison, effect: _Effect, place: int) -> float:
    return float(comparison.line(effect.key).values[place])  # type: ignore[arg-type]


def _ratio(comparison: Comparison, effect: _Effect, place: int, base: int) -> float:
    return _value(comparison, effect, place) / _value(comparison, effect, base)


def _counts(ratio: float) -> bool:
    return abs(ratio - 1) >= _LEAST_EFFECT
