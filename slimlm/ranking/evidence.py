"""The measured evidence nearest to a design: one sentence of a shipped study, with its distance from the design."""

import math
from dataclasses import dataclass
from pathlib import Path

from slimlm.core.accounting import Account
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel
from slimlm.ranking.result import CellResult, Ranking
from slimlm.ranking.shipped import SHIPPED, ShippedStudy, shipped_studies
from slimlm.serialization.fields import Value
from slimlm.study.request import StudyRequest
from slimlm.utils.formatting import format_ratio, format_size

FARTHEST = 1000.0
"""Factor of total parameters, or of the vocabulary, beyond which a study says nothing about a design."""

SAME_SIZE = 1.5
"""Factor of total parameters and of the vocabulary within which a design has the size of a study."""


@dataclass(frozen=True)
class Evidence:
    """What the nearest study says, and how far the design is from it."""

    study: str
    """Name of the shipped study, for a link."""
    sentence: str
    """Size, answer and distance: "Measured at 1.0M parameters, …; this design is 10 × larger: extrapolated."."""
    size_factor: float
    """Total parameters of the design over those of the study."""
    extrapolated: bool
    """Whether the design is outside the sizes or the range of the axes that were measured."""


def evidence_for(subject: Account | Design | NamedModel, folder: Path = SHIPPED) -> Evidence | None:
    """Return what the nearest finished study says about a design.

    Nearest is the smallest sum of the logs of the factors of total parameters and vocabulary. None when there is no
    finished study with an answer, when none has an axis that the design has a value on, and when the nearest differs
    from the design by more than a factor of `FARTHEST` in one of the two.
    """
    account = subject if isinstance(subject, Account) else subject.account
    found = [(study, *factors) for study in shipped_studies(folder) if (factors := _factors(study, account))]
    near = [one for one in found if max(map(_distance, one[1:])) <= math.log(FARTHEST)]
    if not near:
        return None
    study, size, vocabulary = min(near, key=lambda one: _distance(one[1]) + _distance(one[2]))
    return _evidence(study, account, size, vocabulary)


def _factors(study: ShippedStudy, account: Account) -> tuple[float, float] | None:
    """Return the total and the vocabulary of a design over those of a study; None where nothing can be said."""
    ranking, request = study.ranking, study.study.request
    if not ranking.complete or not ranking.answer:
        return None
    if all(_actual(account, axis) is None for axis in ranking.axes):
        return None
    cells = [cell for cell in ranking.cells if cell.x is not None]
    total = _nearest(account.active_params, [cell.total_params for cell in cells])
    sizes = [value for value in _values(request, "vocab_size") if isinstance(value, int)]
    vocabulary = _nearest(account.architecture.vocab_size, sizes or [request.base.vocab_size])
    return total, vocabulary


def _nearest(value: float, known: list[int]) -> float:
    """Return a value over the nearest of the known ones."""
    return min((value / one for one in known), key=_distance)


def _distance(factor: float) -> float:
    return abs(math.log(factor))


def _values(request: StudyRequest, field: str) -> tuple[Value, ...]:
    return next((axis.values for axis in (request.x, request.y) if axis.name == field), ())


def _actual(account: Account, field: str) -> float | None:
    """Return the value of a design on an axis of numbers; None on other axes."""
    arch = account.architecture
    if field == "glu_expansion":
        return arch.glu_expansion if arch.is_gated else None
    if field in ("embedding_ratio", "total_params"):
        return float(getattr(account, field))
    value = getattr(arch, field, None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# The sentence.


def _evidence(study: ShippedStudy, account: Account, size: float, vocabulary: float) -> Evidence:
    outside = _outside(study.ranking, account)
    kind = ["is a mixture of experts beside dense models"] if account.architecture.is_mixture else []
    distances = [*_sizes(size, vocabulary), *kind, *outside]
    end = f"this design {' and '.join(distances)}: extrapolated" if distances else "this design has that size"
    sentence = f"{_measured(study)}: {study.ranking.answer}; {end}."
    return Evidence(study.name, sentence, size, bool(distances))


def _measured(study: ShippedStudy) -> str:
    """Return the size of a study: "Measured at 1.0M parameters, 4k vocabulary, 250k tokens"."""
    request, cells = study.study.request, [cell for cell in study.ranking.cells if cell.x is not None]
    parts = []
    if not _values(request, "total_params"):
        parts.append(f"{_short(request.base.total_params)} parameters")
    if not _values(request, "vocab_size"):
        parts.append(f"{_short(request.base.vocab_size)} vocabulary")
    parts.append(f"{_short(_median_tokens(cells))} tokens")
    return f"Measured at {', '.join(parts)}"


def _short(value: int) -> str:
    """Write a size as people say it.

    >>> [_short(value) for value in (4096, 50_257, 249_856, 1_000_000)]
    ['4k', '50k', '250k', '1M']
    """
    if 1024 <= value < 2**20 and value.bit_count() == 1:
        return f"{value // 1024}k"
    return format_size(int(float(f"{value:.2g}")))


def _median_tokens(cells: list[CellResult]) -> int:
    return sorted(cell.tokens for cell in cells)[len(cells) // 2]


def _sizes(size: float, vocabulary: float) -> list[str]:
    """Say how far the size of a design is from that of the study; nothing within a factor of `SAME_SIZE`."""
    found = []
    if _distance(size) > math.log(SAME_SIZE):
        found.append(f"is {_times(size)} {'larger' if size > 1 else 'smaller'}")
    if _distance(vocabulary) > math.log(SAME_SIZE):
        found.append(f"has a vocabulary {_times(vocabulary)} {'larger' if vocabulary > 1 else 'smaller'}")
    return found


def _times(factor: float) -> str:
    return f"{format_ratio(float(f'{max(factor, 1 / factor):.2g}'))} ×"


def _outside(ranking: Ranking, account: Account) -> list[str]:
    """Say on which axes the design lies outside the values that were measured, half a step at the ends allowed."""
    found = []
    cells = [cell for cell in ranking.cells if cell.x is not None]
    for side, (field, name) in enumerate(zip(ranking.axes, ranking.axis_names, strict=True)):
        values = [float(value) for cell in cells if isinstance(value := (cell.y if side else cell.x), int | float)]
        actual = _actual(account, field)
        if field in ("total_params", "vocab_size") or actual is None or not values:
            continue
        steps = sorted(set(values))
        slack = (steps[1] - steps[0]) / 2 if len(steps) > 1 else 0.05 * steps[0]
        if not steps[0] - slack <= actual <= steps[-1] + slack:
            found.append(f"has {name} {format_ratio(actual)}, outside {format_ratio(steps[0])} to "
                         f"{format_ratio(steps[-1])}")  # fmt: skip
    return found
