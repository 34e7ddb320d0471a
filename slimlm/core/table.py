"""The parameter table as text: counted on a real module, or listed from a design's account."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION, Account, account, norm_name
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.describe import structure_words
from slimlm.core.design import Design
from slimlm.utils.formatting import format_miss


class Module(Protocol):
    """What the table needs of a `LanguageModel`: slimlm.model is not imported, so that a table needs no torch."""

    config: ModelConfig | None
    architecture: Architecture

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield every parameter once, shared ones included once."""
        ...


def count_parameters(model: Any) -> int:
    """Return the number of trainable parameters of a torch module; a shared parameter counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_components(model: Module, accounted: Account) -> dict[str, int]:
    """Count a module's trainable parameters under the components of an account, by the names of its parameters.

    Raises KeyError for a parameter that the account does not list.
    """
    component_of = {name: component.key for component in accounted.components for name in component.shapes}
    counts = Counter({component.key: 0 for component in accounted.components})
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            counts[component_of[re.sub(r"^blocks\.\d+\.", "blocks.*.", name)]] += parameter.numel()
    return dict(counts)


def print_param_table(model: Module | Design | Architecture) -> None:
    """Print `format_param_table`."""
    print(format_param_table(model))


def format_param_table(model: Module | Design | Architecture) -> str:
    """Return the parameter allocation of a model, a design or an architecture as text.

    The counts of a model are counted on it. Counts and shares add up to the last digit shown. Targets (of a model or
    design that was solved for) stand beside the actual values.
    """
    architecture = model if isinstance(model, Architecture) else model.architecture
    accounted = account(architecture)
    counts = (
        {component.key: component.params for component in accounted.components}
        if isinstance(model, (Architecture, Design))
        else count_components(model, accounted)
    )
    config = None if isinstance(model, Architecture) else model.config
    parts = [_allocation(accounted, counts), _configuration(accounted)]
    if config is not None:
        parts.append(_targets(Design(config, architecture), sum(counts.values())))
    return "\n\n".join(parts)


class _Row(NamedTuple):
    label: str
    per_layer: str
    params: int
    hundredths: int
    """Share in hundredths of a percent."""


_WIDTHS = (32, 16, 11, 7)
"""Least widths of the columns; larger numbers widen them."""
_LINE = sum(_WIDTHS) + 2 * (len(_WIDTHS) - 1) - 2


def _allocation(accounted: Account, counts: dict[str, int]) -> str:
    total = sum(counts.values())
    shares = whole_shares(counts)
    arch, layers = accounted.architecture, accounted.architecture.n_layers

    def row(key: str, label: str, copies: int = 1) -> _Row:
        per_layer = f"{counts[key] // copies:,} × {copies:,}" if accounted[key].per_layer else ""
        return _Row(label, per_layer, counts[key], shares[key])

    backbone = [key for key in counts if accounted[key].per_layer]
    rows = [
        row("token_embedding", "Token Embedding"),
        row("position_embedding", "Position Embedding"),
        row("lm_head", f"LM Head (tied={arch.tied_lm_head})"),
        _Row(
            f"Transformer Backbone ({layers:,} layer{'s' if layers > 1 else ''})",
            "",
            sum(counts[key] for key in backbone),
            sum(shares[key] for key in backbone),
        ),
        row("attention", "  Attention", layers),
        row("ffn", f"  FFN/{accounted['ffn'].name}", layers),
        row("norms", f"  {norm_name(arch)}", layers),
        row("final_norm", accounted["final_norm"].name),
    ]
    lines = [("Component", "per layer × layers", "Parameters", "Share"), *map(_cells, rows)]
    lines.append(_cells(_Row("TOTAL", "", total, 10_000)))
    widths = [max(least, *map(len, column)) for least, column in zip(_WIDTHS, zip(*lines, strict=True), strict=True)]
    head, *body, foot = [_aligned(line, widths) for line in lines]
    rule = "─" * len(head)
    return "\n".join(["Parameter Allocation Table", rule, head, rule, *body, rule, foot])


def _cells(row: _Row) -> tuple[str, ...]:
    share = f"{row.hundredths // 100}.{row.hundredths % 100:02d} %"
    return row.label, row.per_layer, f"{row.params:,}", share


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    label, *numbers = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join([f"{cells[0]:<{len(label)}}", *numbers])


def whole_shares(counts: dict[str, int]) -> dict[str, int]:
    """Round shares to hundredths of a percent so that they add up to 100 % (largest remainders are rounded up)."""
    total = sum(counts.values())
    shares = {key: 10_000 * count // total for key, count in counts.items()}
    by_remainder = sorted(counts, key=lambda key: -(10_000 * counts[key] % total))
    for key in by_remainder[: 10_000 - sum(shares.values())]:
        shares[key] += 1
    return shares


def _configuration(accounted: Account) -> str:
    """List dimensions and choices, and why a component counts nothing (that of the LM head is in its row)."""
    arch = accounted.architecture
    empty = [part for part in accounted.components if part.note and part.key != "lm_head"]
    return "\n".join(
        [
            "Configuration",
            f"  d_model {arch.d_model:,} · d_ff {arch.d_ff:,} · n_layers {arch.n_layers:,}"
            f" · n_heads {arch.n_heads} (head_dim {arch.head_width:,})",
            f"  vocab_size {arch.vocab_size:,} · max_seq_length {arch.max_seq_length:,}"
            f" · tied_lm_head {arch.tied_lm_head}",
            *(f"  {line}" for line in _lines(structure_words(arch))),
            *(f"  {part.name}: 0, {part.note}" for part in empty),
        ]
    )


def _lines(words: list[str]) -> list[str]:
    """Set words on lines as wide as the table, broken between words."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= _LINE:
            lines[-1] += f" · {word}"
        else:
            lines.append(word)
    return lines


def _targets(design: Design, actual: int) -> str:
    _, ratio, expansion = design.targets
    target = design.config.total_params
    lines = [f"{'':<20}{'target':>12}{'actual':>12}{'miss':>12}"]
    for knob in (ratio, expansion):
        mark = "  off target by more than 5 %" if knob.off_target else ""
        lines.append(f"{knob.name:<20}{knob.target:>12.4g}{knob.actual:>12.4f}{format_miss(knob.miss):>12}{mark}")
    return "\n".join(
        [
            *lines,
            f"embedding_ratio: {EMBEDDING_RATIO_DEFINITION}",
            "",
            f"Target      {target:>16,}",
            f"Actual      {actual:>16,}",
            f"Difference  {actual - target:>+16,}  ({format_miss(actual / target - 1)})",
        ]
    )
