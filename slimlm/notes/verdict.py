"""The verdict on a design: the one sentence that a senior reviewer would say first, and the change that mends it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from slimlm.core.config import ModelConfig
from slimlm.core.describe import expansion_name, shape_phrase
from slimlm.core.design import OFF_TARGET, Design, TargetActual
from slimlm.core.named_model import Subject
from slimlm.core.shape_law import RESIDUAL, published_aspect_ratio
from slimlm.notes.note import Severity, format_number
from slimlm.notes.plausibility import Oddity, oddities, size_near
from slimlm.notes.shape import alignment
from slimlm.solver.alternatives import alternatives
from slimlm.solver.solver import nearest_design
from slimlm.utils.formatting import format_share

_UNUSUAL = RESIDUAL**2
"""Factor off the law of published shapes that about one model in twenty exceeds."""

_SMALLER_VOCABULARIES = (65_536, 49_152, 32_000, 16_000, 8192, 4096, 2048, 1024, 512, 256)


class Weight(StrEnum):
    """How much a verdict matters, the weightiest first."""

    SHAPE = "shape"
    OFF_TARGET = "off target"
    ALIGNMENT = "alignment"
    GOOD = "good"


@dataclass(frozen=True)
class Remedy:
    """A change to the request, and the design that it gives."""

    request: ModelConfig
    design: Design
    change: str
    """What changes: "embedding ratio 0.12"."""

    def __str__(self) -> str:
        """Say what the change gives: "With 5 heads: 11 layers × 220, all targets within 0.5 %."."""
        arch = self.design.architecture
        return f"With {self.change}: {shape_phrase(arch)}, all targets within {bound(self.design)}."


@dataclass(frozen=True)
class Verdict:
    """A judgement on a model in one sentence, and what mends it."""

    weight: Weight
    text: str
    """One sentence."""
    remedy: Remedy | None = None
    """A solved design without the fault; None when there is no fault, or no such design near the request."""

    def __str__(self) -> str:
        """Join the sentence and the remedy."""
        return f"{self.text} {self.remedy}" if self.remedy else self.text


def verdict(subject: Subject) -> Verdict:
    """Judge a design or a named model: an odd shape first, then a target missed by more than 5 %, then alignment.

    >>> from slimlm import ModelConfig, solve
    >>> found = verdict(solve(ModelConfig(total_params=100_000_000)))
    >>> found.text
    '1 layer: most published models near 100M have 5 to 30.'
    >>> str(found.remedy)
    'With embedding ratio 0.11: 16 layers × 680, all targets within 2 %.'
    """
    return _verdict(subject)


@lru_cache(maxsize=64)
def _verdict(subject: Subject) -> Verdict:
    odd = oddities(subject.account)
    if odd:
        remedy = _plausible(subject, odd) if isinstance(subject, Design) else None
        return Verdict(Weight.SHAPE, f"{odd[0].text}.", remedy)
    if isinstance(subject, Design):
        return _judged(subject)
    return Verdict(Weight.GOOD, _in_range(subject))


def _judged(design: Design) -> Verdict:
    """Judge a design of an ordinary shape."""
    if design.off_target:
        remedy = _on_target(design)
        ending = (
            "" if remedy else "; no nearby design meets all targets: a smaller vocabulary or a larger total would help"
        )
        missed = " and ".join(_miss(design, target) for target in design.off_target)
        return Verdict(Weight.OFF_TARGET, f"{missed[0].upper()}{missed[1:]}{ending}.", remedy)
    note = alignment(design)
    if note and note.severity == Severity.WARNING:
        text = f"{note.figure} {_no_multiple(note.figure)} of 8: tensor cores compute the rest as padding."
        return Verdict(Weight.ALIGNMENT, text, _aligned(design))
    return Verdict(Weight.GOOD, f"All targets within {bound(design)}. {_in_range(design)}")


def _no_multiple(widths: str) -> str:
    return "are no multiples" if " · " in widths else "is no multiple"


def _miss(design: Design, target: TargetActual) -> str:
    names = {
        "total_params": "the total",
        "embedding_ratio": "the embedding ratio",
        "glu_expansion": f"the {expansion_name(design.config)}",
        "aspect_ratio": "d_model / n_layers",
    }
    side = "below" if target.miss < 0 else "above"
    return f"{names[target.name]} is {format_share(abs(target.miss))} {side} its target"


def bound(design: Design) -> str:
    """Round the worst miss of a design that meets its targets up to a bound that is easily said."""
    worst = max(abs(target.miss) for target in design.targets)
    return next(f"{100 * bound:g} %" for bound in (0.001, 0.005, 0.01, 0.02, 0.03, 0.04, OFF_TARGET) if worst <= bound)


def _in_range(subject: Subject) -> str:
    """Place an ordinary shape among the published ones."""
    arch, account = subject.architecture, subject.account
    ratio, law = arch.d_model / arch.n_layers, published_aspect_ratio(account.active_params)
    kind = (
        "usual" if 1 / _UNUSUAL <= ratio / law <= _UNUSUAL else "wide and shallow" if ratio > law else "deep and narrow"
    )
    dense = "published dense" if arch.is_mixture else "published"
    return (
        f"{shape_phrase(arch)} is a {kind} shape: d_model / n_layers is "
        f"{format_number(ratio)} ({dense} models near {size_near(account)}: {law:.0f})."
    )


def _on_target(design: Design) -> Remedy | None:
    for other in alternatives(design):
        if not other.design.off_target and not oddities(other.design.account):
            return Remedy(other.request, other.design, other.change)
    return None


def _aligned(design: Design) -> Remedy | None:
    for changes in ({"multiple_of": 8}, {"multiple_of": 8, "n_heads": "auto"}):
        aligned = _solved(design.config, changes)
        if aligned and not aligned.off_target and not oddities(aligned.account):
            return Remedy(aligned.config, aligned, _describe(changes))
    return None


def _plausible(design: Design, odd: tuple[Oddity, ...]) -> Remedy | None:
    """Return the mildest change that gives an ordinary shape."""
    for changes in _changes(design, odd):
        other = _solved(design.config, changes)
        if other and not other.off_target and not oddities(other.account):
            return Remedy(other.config, other, _describe(changes))
    return None


def _changes(design: Design, odd: tuple[Oddity, ...]) -> Iterator[dict[str, Any]]:
    """Yield changes to a request whose design has an odd shape, mildest first."""
    open_depth: dict[str, Any] = {} if design.config.n_layers is None else {"n_layers": None}
    if {oddity.key for oddity in odd} == {"head_dim"}:
        yield {"n_heads": "auto"}
    for heads in ({}, {"n_heads": "auto"}):
        shape = open_depth | heads | {"embedding_ratio": "auto"}
        if led := _solved(design.config, shape):
            yield shape | {"embedding_ratio": float(f"{led.account.embedding_ratio:.2g}")}
        yield shape
    for vocab_size in (size for size in _SMALLER_VOCABULARIES if size < design.config.vocab_size):
        yield open_depth | {"vocab_size": vocab_size, "n_heads": "auto", "embedding_ratio": "auto"}


def _solved(config: ModelConfig, changes: Mapping[str, Any]) -> Design | None:
    """Solve a changed request; None where it is invalid or infeasible."""
    with suppress(ValueError):  # outside a field's limits, or beside other choices
        return nearest_design(replace(config, **changes))
    return None


_NAMES = {
    "embedding_ratio": "embedding ratio",
    "n_heads": "heads",
    "vocab_size": "vocabulary",
    "multiple_of": "alignment",
    "n_layers": "depth",
}


def _describe(changes: Mapping[str, Any]) -> str:
    """Name changes: "vocabulary 16,000, heads auto"."""
    words = {None: "open"}
    return ", ".join(
        f"{_NAMES[name]} {words.get(value) or (f'{value:,}' if isinstance(value, int) else value)}"
        for name, value in sorted(changes.items(), key=lambda change: list(_NAMES).index(change[0]))
    )
