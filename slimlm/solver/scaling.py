"""A model scaled to another total: what makes it that model stays, and a vocabulary that suits the size is proposed."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from slimlm.core.accounting import account
from slimlm.core.architecture import MOST_HEADS, Architecture
from slimlm.core.design import TOLERANCE, Design
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.solver.inverse import request_like
from slimlm.solver.solver import solve

VOCABULARIES = (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 49_152, 65_536, 100_352, 128_256, 151_936, 200_064)
"""Vocabularies that are proposed, beside that of the model."""

_WIDTH_GRAIN = 8

_LEAST_SHARE = 0.2
"""Share of the parameters that a vocabulary aims at in a small model of a family whose large models have less."""

_SHARE_WEIGHT = 0.25

_TRIED = 4
"""Vocabularies that are tried at each width, from the one with the wanted share downwards."""


class _Found(NamedTuple):
    cost: float
    n_heads: int
    """Of equal costs, fewer heads go first."""
    architecture: Architecture


def scaled(architecture: Architecture, total_params: int) -> Design:
    """Return a design of another total with the structure, head_dim, KV groups and proportions of an architecture.

    Its d_model / n_layers differs from the fit of the published models by the same factor as the original's, its
    expansion is the original's as nearly as the total allows, and its vocabulary, at most the original's, has about
    the original's share of the parameters, but not less than a fifth where the original's allows it.

    >>> wide = Architecture(d_model=2048, d_ff=8192, n_layers=16, n_heads=32, n_kv_heads=8, vocab_size=128_256)
    >>> small = scaled(wide, 30_000_000).architecture
    >>> small.n_layers, small.d_model, small.n_heads, small.head_width, small.vocab_size
    (8, 448, 7, 64, 16384)

    Raises ValueError when the total leaves room for no such model.
    """
    for found in sorted(_candidates(architecture, total_params), key=lambda found: found[:2]):
        try:
            return solve(request_like(found.architecture))
        except ValueError:  # beyond the limits of a request
            continue
    small = total_params < account(architecture).total_params
    problem, other = ("too small", "larger") if small else ("too large", "smaller")
    raise ValueError(
        f"total_params={total_params:,} is {problem} for a model with heads of {architecture.head_width}; "
        f"a {other} total would work"
    )


def _candidates(original: Architecture, total: int) -> Iterator[_Found]:
    """Return models of the total, for each number of heads the depths around the wanted aspect ratio."""
    counted = account(original)
    law = published_aspect_ratio(total) / published_aspect_ratio(counted.total_params)
    aspect, share = original.d_model / original.n_layers * law, max(_LEAST_SHARE, counted.embedding_ratio)
    for n_heads, d_model in _widths(original, total, aspect):
        for vocabulary in _vocabularies(original, d_model, share * total):
            wide = _widened(original, n_heads, d_model, vocabulary)
            for n_layers in {max(original.n_dense_layers + 1, round(d_model / aspect) + more) for more in (-1, 0, 1)}:
                if deep := _filled(replace(wide, n_layers=n_layers), total, original.glu_expansion):
                    yield _Found(_cost(deep, original, aspect, share), n_heads, deep)


def _cost(found: Architecture, original: Architecture, aspect: float, share: float) -> float:
    """Return how far a model is from the wanted proportions, in squared logarithms."""
    return (
        math.log(found.d_model / found.n_layers / aspect) ** 2
        + math.log(found.glu_expansion / original.glu_expansion) ** 2
        + _SHARE_WEIGHT * math.log(account(found).embedding_ratio / share) ** 2
    )


def _widths(original: Architecture, total: int, aspect: float) -> Iterator[tuple[int, int]]:
    """Yield numbers of heads with their widths for which blocks of the wanted depth are of the order of the total."""
    for n_heads in range(1, MOST_HEADS + 1):
        width = n_heads * original.d_model / original.n_heads
        d_model = max(_WIDTH_GRAIN, _WIDTH_GRAIN * round(width / _WIDTH_GRAIN))
        experts = max(1, original.n_experts) * original.glu_expansion
        blocks = (4 + 3 * experts) * d_model**2 * max(1.0, d_model / aspect)
        if blocks > 8 * total:
            return
        if blocks > total / 32:
            yield n_heads, d_model


def _vocabularies(original: Architecture, d_model: int, wanted: float) -> list[int]:
    """Return the vocabularies whose tables take about the wanted number of parameters, and smaller ones."""
    offered = sorted({size for size in (*VOCABULARIES, original.vocab_size) if size <= original.vocab_size})
    excess = [abs(math.log(original.vocabulary_tables * size * d_model / wanted)) for size in offered]
    nearest = excess.index(min(excess))
    return offered[max(0, nearest - _TRIED + 1) : nearest + 1]


def _widened(original: Architecture, n_heads: int, d_model: int, vocabulary: int) -> Architecture:
    group = original.n_heads // original.kv_heads
    kv_heads = next(count for count in range(max(1, n_heads // group), 0, -1) if n_heads % count == 0)
    plain = n_heads * original.head_width == d_model
    return replace(
        original,
        n_heads=n_heads,
        n_kv_heads=None if kv_heads == n_heads else kv_heads,
        head_dim=None if plain else original.head_width,
        d_model=d_model,
        vocab_size=vocabulary,
        **_scaled_widths(original, d_model / original.d_model),
    )


def _scaled_widths(original: Architecture, factor: float) -> dict[str, Any]:
    """Return the widths of shared experts, of dense first layers and of latents, in proportion to d_model."""
    names = ("d_shared", "d_dense", "kv_lora_rank", "q_lora_rank")
    widths = {name: getattr(original, name) for name in names}
    grain = _WIDTH_GRAIN
    return {name: max(grain, grain * round(factor * width / grain)) for name, width in widths.items() if width}


def _filled(architecture: Architecture, total: int, expansion: float) -> Architecture | None:
    """Return the architecture with the d_ff that meets the total, a multiple of 8 where one does, or None."""
    one, two = (account(replace(architecture, d_ff=d_ff)).total_params for d_ff in (1, 2))
    exact = 1 + (total - one) / (two - one)
    if not expansion / 2 <= exact / architecture.d_model <= expansion * 2:
        return None
    for d_ff in (max(1, _WIDTH_GRAIN * round(exact / _WIDTH_GRAIN)), max(1, round(exact))):
        filled = replace(architecture, d_ff=d_ff)
        if abs(account(filled).total_params - total) <= TOLERANCE * total:
            return filled
    return None
