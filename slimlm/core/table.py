"""Rows of the parameter table for every format, and the table as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION, Account, Component, account, norm_name
from slimlm.core.architecture import Architecture
from slimlm.core.budget_text import budget_noun
from slimlm.core.config import ModelConfig
from slimlm.core.describe import layers_phrase, structure_words
from slimlm.core.design import Design
from slimlm.core.layered import LayeredAccount
from slimlm.core.names import COMPONENT_NAMES
from slimlm.utils.formatting import format_miss


class Module(Protocol):
    """Part of `LanguageModel` that the table needs; importing slimlm.model would load torch."""

    config: ModelConfig | None
    architecture: Architecture

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield every parameter once, shared parameters too."""
        ...


def count_parameters(model: Any) -> int:
    """Return the number of trainable parameters of a torch module; a shared parameter counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_components(model: Module, accounted: Account, layers: Sequence[int] = ()) -> dict[str, int]:
    """Count a module's trainable parameters under the components of an account, by the names of its parameters.

    layers: the number of layers that each block stands for; by default each for itself.

    Raises KeyError for a parameter that the account does not list.
    """
    component_of = {name: component.key for component in accounted.components for name in component.shapes}
    counts = Counter({component.key: 0 for component in accounted.components})
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            block = re.match(r"blocks\.(\d+)\.", name)
            times = layers[int(block[1])] if block and layers else 1
            key = component_of[f"blocks.*.{name[block.end() :]}" if block else name]
            counts[key] += times * parameter.numel()
    return dict(counts)


_MOST_SHAPES = 9
"""Most shapes that a row of the table lists: layers that differ can have hundreds."""


class ComponentRow(NamedTuple):
    """One component in the parameter table; the rounded shares of all rows add up to 100 %."""

    component: Component
    params: int
    hundredths: int
    """Share in hundredths of a percent."""

    @property
    def layers_text(self) -> str:
        """Parameters per layer × layers; empty for a component that occurs once."""
        part = self.component
        return f"{self.params // part.copies:,} × {part.copies:,}" if part.per_layer else ""

    @property
    def tensors_text(self) -> str:
        """Shapes of the component's tensors (in one layer), with the number of equal ones; or why it has none."""
        shapes = Counter(self.component.shapes.values())
        if len(shapes) > _MOST_SHAPES:
            return f"{shapes.total():,} tensors of {len(shapes):,} shapes"
        written = (
            f"{f'{count} × ' if count > 1 else ''}({', '.join(f'{size:,}' for size in shape)})"
            for shape, count in shapes.items()
        )
        return ", ".join(written) or self.component.note

    @property
    def share_text(self) -> str:
        """The rounded share: 34.40 %."""
        return percent(self.hundredths)


def component_rows(
    accounted: Account | LayeredAccount, counts: dict[str, int] | None = None
) -> tuple[ComponentRow, ...]:
    """Return a row for each component of an account; `counts` replaces the account's parameters by counted ones.

    >>> from slimlm.core.architecture import Architecture
    >>> rows = component_rows(account(Architecture(d_model=216, d_ff=544, n_layers=12)))
    >>> rows[0].tensors_text, rows[0].share_text, sum(row.hundredths for row in rows)
    ('(16,000, 216)', '34.40 %', 10000)
    """
    found = {part.key: part.params for part in accounted.components} if counts is None else counts
    shares = _whole_shares(found)
    return tuple(ComponentRow(part, found[part.key], shares[part.key]) for part in accounted.components)


def _whole_shares(counts: dict[str, int]) -> dict[str, int]:
    """Round shares to hundredths of a percent so that they add up to 100 % (largest remainders are rounded up)."""
    total = sum(counts.values())
    shares = {key: 10_000 * count // total for key, count in counts.items()}
    by_remainder = sorted(counts, key=lambda key: -(10_000 * counts[key] % total))
    for key in by_remainder[: 10_000 - sum(shares.values())]:
        shares[key] += 1
    return shares


def percent(hundredths: int) -> str:
    """Write hundredths of a percent.

    >>> percent(3440), percent(10_000)
    ('34.40 %', '100.00 %')
    """
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def print_param_table(model: Module | Design | Architecture) -> None:
    """Print `format_param_table`."""
    print(format_param_table(model))


def format_param_table(model: Module | Design | Architecture) -> str:
    """Return the parameter allocation of a model, a design or an architecture as text.

    The counts of a model are those of its tensors. The displayed counts and shares add up exactly. A design, or a
    model of a design, also shows its targets.
    """
    architecture = model if isinstance(model, Architecture) else model.architecture
    accounted = account(architecture)
    counts = None if isinstance(model, (Architecture, Design)) else count_components(model, accounted)
    rows = component_rows(accounted, counts)
    config = None if isinstance(model, Architecture) else model.config
    parts = [_allocation(accounted, rows), _configuration(accounted)]
    if config is not None:
        parts.append(_targets(Design(config, architecture)))
    return "\n\n".join(parts)


_Cells = tuple[str, str, str, str]

_WIDTHS = (32, 16, 11, 7)
"""Minimum widths of the columns."""
_LINE = sum(_WIDTHS) + 2 * (len(_WIDTHS) - 1) - 2


def _allocation(accounted: Account, rows: Sequence[ComponentRow]) -> str:
    lines = [("Component", "per layer × layers", "Parameters", "Share"), *_table_lines(accounted, rows)]
    lines.append(_cells("TOTAL", "", sum(row.params for row in rows), 10_000))
    lines.append(_non_embedding(accounted, sum(row.params for row in rows)))
    widths = [max(least, *map(len, column)) for least, column in zip(_WIDTHS, zip(*lines, strict=True), strict=True)]
    head, *body, total, rest = [_aligned(line, widths) for line in lines]
    rule = "─" * len(head)
    active = [_aligned(_active(accounted), widths)] if accounted.architecture.is_mixture else []
    return "\n".join(["Parameter Allocation Table", rule, head, rule, *body, rule, total, rest, *active])


def _non_embedding(accounted: Account, total: int) -> _Cells:
    """Return the line of all parameters outside the vocabulary-sized tables."""
    rest = total - accounted.embedding_params
    return _cells("  Non-embedding", "", rest, round(10_000 * rest / total))


def _active(accounted: Account) -> _Cells:
    used = accounted.active_params
    return _cells("  Active per token", "", used, round(10_000 * used / accounted.total_params))


def _table_lines(accounted: Account, rows: Sequence[ComponentRow]) -> list[_Cells]:
    """Return the lines of the components, with a subtotal of all layers."""
    arch, by_key = accounted.architecture, {row.component.key: row for row in rows}
    backbone = [row for row in rows if row.component.per_layer]

    def line(key: str, label: str) -> _Cells:
        row = by_key[key]
        return _cells(label, row.layers_text, row.params, row.hundredths)

    return [
        line("token_embedding", "Token Embedding"),
        line("position_embedding", "Position Embedding"),
        line("lm_head", f"LM Head (tied={arch.tied_lm_head})"),
        _cells(
            f"Transformer Backbone ({layers_phrase(arch)})",
            "",
            sum(row.params for row in backbone),
            sum(row.hundredths for row in backbone),
        ),
        line("attention", "  Attention"),
        *(line(key, f"  {label}") for key, label in _feed_forwards(accounted).items()),
        line("norms", f"  {norm_name(arch)}"),
        line("final_norm", accounted["final_norm"].name),
    ]


def _feed_forwards(accounted: Account) -> dict[str, str]:
    """Return the labels of the feed-forward, or of the parts of a mixture of experts, by key."""
    if not accounted.architecture.is_mixture:
        return {"ffn": f"FFN/{accounted['ffn'].name}"}
    keys = {part.key for part in accounted.components}
    return {key: COMPONENT_NAMES[key] for key in ("dense_ffn", "router", "experts", "shared_experts") if key in keys}


def _cells(label: str, per_layer: str, params: int, hundredths: int) -> _Cells:
    return label, per_layer, f"{params:,}", percent(hundredths)


def _aligned(cells: _Cells, widths: list[int]) -> str:
    label, *numbers = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join([f"{cells[0]:<{len(label)}}", *numbers])


def _configuration(accounted: Account) -> str:
    """Return dimensions, choices and the reasons for empty components (the row of the LM head says its own)."""
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
    """Join words into lines as wide as the table."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= _LINE:
            lines[-1] += f" · {word}"
        else:
            lines.append(word)
    return lines


def _targets(design: Design) -> str:
    total, ratio, expansion = design.targets
    unit = "" if design.config.budget == "total" else f"  {budget_noun(design.config)}"
    lines = [f"{'':<20}{'target':>12}{'actual':>12}{'miss':>12}"]
    for knob in (ratio, expansion):
        mark = "  off target by more than 5 %" if knob.off_target else ""
        lines.append(f"{knob.name:<20}{knob.target:>12.4g}{knob.actual:>12.4f}{format_miss(knob.miss):>12}{mark}")
    return "\n".join(
        [
            *lines,
            f"embedding_ratio: {EMBEDDING_RATIO_DEFINITION}",
            "",
            f"Target      {total.target:>16,}{unit}",
            f"Actual      {total.actual:>16,}{unit}",
            f"Difference  {total.actual - total.target:>+16,}  ({format_miss(total.miss)})",
        ]
    )
