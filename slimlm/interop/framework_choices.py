"""Settings of training frameworks for each choice of an architecture, and the padding of the vocabulary."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from slimlm.core.accounting import count_total
from slimlm.core.architecture import NEWEST_FIELDS, Architecture
from slimlm.utils.validation import check_whole

Scalar = str | int | float | bool


@dataclass(frozen=True)
class FrameworkChoice:
    """A framework's settings for each value of one choice that it supports, and the rule behind them."""

    values: Mapping[Scalar | None, Mapping[str, Scalar]]
    rule: str


def settings_of(framework: str, choices: Mapping[str, FrameworkChoice], arch: Architecture) -> dict[str, Scalar]:
    """Return a framework's settings for every choice; raises ValueError for choices that it does not support."""
    choices = {**choices, **{name: choice for name, choice in _newest(framework).items() if name not in choices}}
    unknown = {name: choice for name, choice in choices.items() if getattr(arch, name) not in choice.values}
    if unknown:
        problems = (f"{name}={getattr(arch, name)!r} ({choice.rule})" for name, choice in unknown.items())
        remedies = (f"{name}={' or '.join(map(repr, choice.values))}" for name, choice in unknown.items())
        raise ValueError(f"{framework} cannot express {_and(problems)}; {_and(remedies)} would work")
    settings: dict[str, Scalar] = {}
    for name, choice in choices.items():
        settings |= choice.values[getattr(arch, name)]
    return settings


def _newest(framework: str) -> dict[str, FrameworkChoice]:
    """Return the choices that few models have, of which frameworks are not written any but the default."""
    rule = f"slimlm does not write it for {framework}"
    defaults: dict[str, Any] = {
        field.name: field.default for field in fields(Architecture) if field.name in NEWEST_FIELDS
    }
    return {name: FrameworkChoice({usual: {}}, rule) for name, usual in sorted(defaults.items())}


def shared_rotation(arch: Architecture, key: str) -> dict[str, FrameworkChoice]:
    """Return the choice of rotating a part of each head, which must be an even number of elements."""
    turned = int(arch.head_width * arch.rotary_share)
    if arch.rotary_share == 1 or turned % 2 or not turned:
        return {}
    return {"rotary_share": FrameworkChoice({arch.rotary_share: {key: arch.rotary_share}}, "")}


def whole_theta(framework: str, arch: Architecture) -> int:
    """Return rope_theta as an integer, as a framework requires; raises ValueError for a fraction."""
    if arch.rope_theta != int(arch.rope_theta):
        raise ValueError(
            f"{framework} cannot express rope_theta={arch.rope_theta!r}: it must be a whole number there; "
            f"rope_theta={round(arch.rope_theta)}.0 would work"
        )
    return int(arch.rope_theta)


def padding_line(arch: Architecture, name: str, multiple: int) -> str:
    """Describe the padding of the vocabulary to a multiple; raises FieldError for a multiple below 1."""
    check_whole(**{name: multiple})
    rows, designed = padded(arch.vocab_size, multiple), count_total(arch)
    row_params = count_total(replace(arch, vocab_size=3)) - count_total(replace(arch, vocab_size=2))
    padding = (rows - arch.vocab_size) * row_params
    return (
        f"vocabulary: {arch.vocab_size:,} tokens padded to {rows:,} rows, a multiple of {multiple:,}; "
        f"parameters: {designed:,} designed + {padding:,} of padding = {designed + padding:,}"
    )


def padded(vocab_size: int, multiple: int) -> int:
    """Return the vocabulary rounded up to a multiple."""
    return -(-vocab_size // multiple) * multiple


def _and(parts: Iterator[str]) -> str:
    return " and ".join(parts)
