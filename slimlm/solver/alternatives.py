"""Alternatives to a design: other head counts, alignments, depths and widths."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from slimlm.core.architecture import PREFERRED_HEAD_DIM
from slimlm.core.budget import ratio_at
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.search import to_architecture
from slimlm.solver.shape_search import search_space
from slimlm.solver.solver import nearest_design, solve
from slimlm.utils.validation import FieldError

_ALIGNMENTS = (1, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Alternative:
    """A design near a request, and the request that gives it."""

    kind: str
    """What differs: heads, alignment, depth or width."""
    change: str
    """Description of the difference: "10 heads"."""
    request: ModelConfig
    """The request that gives this design."""
    design: Design
    """The design, with the original request's total, ratio and expansion as targets."""


def alternatives(config: ModelConfig | Design, limit: int = 12) -> tuple[Alternative, ...]:
    """Return up to `limit` other designs within ±0.5 % of the total, nearest to the request first.

    The request of a design is not solved again.

    >>> best = alternatives(ModelConfig())[0]
    >>> best.change, best.design.architecture.d_model, best.design.total_params
    ('5 heads', 220, 10019460)

    Raises FieldError for a limit that is not a whole number above 0, and BudgetError for an infeasible request.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise FieldError("limit", limit, "it must be a whole number of at least 1", (("limit", 12),))
    return _alternatives(config if isinstance(config, Design) else solve(config), limit)


@lru_cache(maxsize=64)
def _alternatives(chosen: Design, limit: int) -> tuple[Alternative, ...]:
    found: dict[tuple[int, ...], Alternative] = {}
    for other in sorted(_candidates(chosen), key=lambda other: (other.design.cost, _head_miss(other.design))):
        found.setdefault(other.design.dims, other)
    found.pop(chosen.dims, None)
    others = list(found.values())
    kept = [other for i, other in enumerate(others) if _same_kind(other, others[:i]) < max(1, limit // 4)]
    return tuple(kept[:limit])


def _head_miss(design: Design) -> float:
    """Return how far head_dim is from the preferred one: among equal dimensions the usual heads go first."""
    return abs(math.log(design.architecture.head_width / (design.config.head_dim or PREFERRED_HEAD_DIM)))


def _same_kind(other: Alternative, earlier: list[Alternative]) -> int:
    return sum(alternative.kind == other.kind for alternative in earlier)


def _candidates(chosen: Design) -> Iterator[Alternative]:
    config, depth, heads = chosen.config, chosen.architecture.n_layers, chosen.architecture.n_heads
    for n_heads in range(max(1, heads // 2), 2 * heads + 1, max(1, heads // 8)):
        design = _try(config, n_heads=n_heads) if n_heads != config.n_heads else None
        if design and _usual_head(design.architecture.head_width):
            yield Alternative("heads", f"{n_heads} heads" if n_heads > 1 else "1 head", design.config, design)
    for multiple_of in _ALIGNMENTS:
        if not _is_aligned(chosen, multiple_of) and (design := _try(config, multiple_of=multiple_of)):
            change = f"multiples of {multiple_of}" if multiple_of > 1 else "no alignment"
            yield Alternative("alignment", change, design.config, design)
    for n_layers in sorted({depth - 2, depth - 1, depth + 1, depth + 2, depth // 2, 3 * depth // 2, 2 * depth}):
        if n_layers > 0 and (design := _try(config, n_layers=n_layers)):
            yield Alternative("depth", f"{n_layers} layers" if n_layers > 1 else "1 layer", design.config, design)
    if config.n_layers is not None and (design := _try(config, n_layers=None)):
        yield Alternative("depth", "depth left open", design.config, design)
    yield from _other_widths(chosen)


def _other_widths(chosen: Design) -> Iterator[Alternative]:
    """Yield the best design of each of the four nearest widths."""
    config, space = chosen.config, search_space(chosen.config)
    width = chosen.architecture.d_model // space.width_grain
    for x in (width - 2, width - 1, width + 1, width + 2):
        best = space.nearest_at(x, None) if x > 0 else None
        if best is None:
            continue
        design = Design(config, to_architecture(config, best))
        d_model = design.architecture.d_model
        ratio = ratio_at(config, d_model)
        same = _try(config, embedding_ratio=ratio) if ratio < 1 else None
        if same and same.architecture == design.architecture:
            yield Alternative("width", f"d_model {d_model:,}", same.config, design)


def _try(config: ModelConfig, **changes: int | float | None) -> Design | None:
    """Solve a changed request; None where it is invalid or infeasible."""
    try:
        changed = replace(config, **changes)  # type: ignore[arg-type]
    except ValueError:  # outside a field's limits, or excluded by another choice
        return None
    return nearest_design(changed)


def _is_aligned(chosen: Design, multiple_of: int) -> bool:
    """Return whether a stricter alignment would give the chosen design again, which already satisfies it."""
    arch = chosen.architecture
    stricter = multiple_of % chosen.config.multiple_of == 0
    return stricter and arch.d_model % multiple_of == arch.d_ff % multiple_of == 0


def _usual_head(head_dim: int) -> bool:
    return head_dim % 2 == 0 and 16 <= head_dim <= 256
