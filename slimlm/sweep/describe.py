"""Text descriptions of a sweep: targets, spans of dimensions and cell labels."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from slimlm.core.budget_text import budget_label
from slimlm.core.captions import request_parts
from slimlm.core.config import ModelConfig
from slimlm.core.describe import expansion_name
from slimlm.core.design import Design
from slimlm.serialization.fields import KNOBS, Value
from slimlm.sweep.axis_values import label_value
from slimlm.sweep.grid import Axis, Sweep


def knob_name(sweep: Sweep, axis: Axis) -> str:
    """Return the display name of an axis: "Embedding ratio"."""
    if axis.name == "total_params":
        return budget_label(sweep.base.budget, sweep.base.budget_precision)
    return expansion_name(sweep.base) if axis.name == "glu_expansion" else KNOBS[axis.name].label


def mid_sentence(name: str) -> str:
    """Write a name inside a sentence: abbreviations keep their capitals.

    >>> mid_sentence("Embedding ratio"), mid_sentence("GLU expansion"), mid_sentence("KV cache per token")
    ('embedding ratio', 'GLU expansion', 'KV cache per token')
    """
    return name if name[:2].isupper() or name[:4] == "RoPE" else f"{name[:1].lower()}{name[1:]}"


def fixed_line(sweep: Sweep) -> str:
    """Return the targets that all designs share, on one line.

    >>> from slimlm.sweep.grid import sweep
    >>> fixed_line(sweep(ModelConfig(), ("embedding_ratio", (0.3,)), ("n_layers", (9, 12))))
    'Target: 10M · vocabulary 16,000 · GLU expansion 2.66 · tied · 512 tokens'
    """
    swept = {sweep.x.name, sweep.y.name}
    expansion = f"{expansion_name(sweep.base)} {sweep.base.glu_expansion:g}"  # its name depends on `ffn`, swept or not
    parts = request_parts(_unswept(sweep)) | {"glu_expansion": expansion}
    return f"Target: {' · '.join(part for name, part in parts.items() if name not in swept)}"


def _unswept(sweep: Sweep) -> ModelConfig:
    """Return the base with the swept knobs at their defaults, which `structure_words` leaves out."""
    base = sweep.base
    for axis in (sweep.x, sweep.y):
        with suppress(ValueError):  # a default that is incompatible with other choices: keep the base's value
            base = replace(base, **{axis.name: KNOBS[axis.name].default})  # type: ignore[arg-type]
    return base


def ratio_reading(sweep: Sweep) -> str:
    """Say how a sweep of the embedding ratio also varies width and depth; empty when it is not swept.

    At a fixed total and vocabulary the ratio determines the width: d_model = ratio · total / (c · vocab_size), or
    ratio / (1 − ratio) · N / (c · vocab_size) for N non-embedding parameters.
    """
    axis = next((axis for axis in (sweep.x, sweep.y) if axis.name == "embedding_ratio"), None)
    ratios = sorted({value for value in axis.values if isinstance(value, float)}) if axis else []
    found = (
        (ratio, [design for design in sweep.designs if design.config.embedding_ratio == ratio]) for ratio in ratios
    )
    ends = [(ratio, designs) for ratio, designs in found if designs]
    if len(ends) < 2:
        return ""
    (_, low), (_, high) = ends[0], ends[-1]
    return (
        "Note: with total and vocabulary fixed, more embedding means wider and shallower: "
        f"{_shapes(low)} layers → {_shapes(high)}"
    )


def spans_line(sweep: Sweep) -> str:
    """Return the ranges of dimensions of the designs, on one line.

    >>> from slimlm.sweep.grid import sweep
    >>> spans_line(sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.45)), ("glu_expansion", (2.66, 4.0))))
    'Actual: d_model 160–288 · d_ff 426–1,146 · 4–24 layers'
    """
    if not sweep.designs:
        return "Actual: no design"
    spans = {name: _span(sweep.designs, name) for name in ("d_model", "d_ff", "n_layers")}
    noun = "layers" if any(design.architecture.n_layers > 1 for design in sweep.designs) else "layer"
    return f"Actual: d_model {spans['d_model']} · d_ff {spans['d_ff']} · {spans['n_layers']} {noun}"


_SHORT_NAMES = {
    "total_params": "total",
    "vocab_size": "vocabulary",
    "embedding_ratio": "ratio",
    "n_heads": "heads",
    "n_kv_heads": "KV heads",
    "n_layers": "depth",
    "max_seq_length": "tokens",
    "multiple_of": "multiples of",
}


def pair_label(sweep: Sweep, index: int, named: bool = False) -> str:
    """Label a cell by its two values with short names of the knobs, or with their display names if `named`.

    >>> from slimlm.sweep.grid import sweep
    >>> found = sweep(ModelConfig(), ("embedding_ratio", (0.35,)), ("glu_expansion", (2.0,)))
    >>> pair_label(found, 0), pair_label(found, 0, named=True)
    ('ratio 0.35 · GLU 2', 'embedding ratio 0.35 · GLU expansion 2')
    """
    cell = sweep.cells[index]
    pairs = ((sweep.x, cell.x), (sweep.y, cell.y))
    if named:
        labels = (f"{mid_sentence(knob_name(sweep, axis))} {label_value(axis.name, value)}" for axis, value in pairs)
    else:
        labels = (_short_label(sweep, axis, value) for axis, value in pairs)
    return " · ".join(labels)


def _short_label(sweep: Sweep, axis: Axis, value: Value) -> str:
    label = label_value(axis.name, value)
    if axis.name == "tied_lm_head" or (isinstance(value, str) and isinstance(KNOBS[axis.name].default, str)):
        return label  # "tied" and "RMSNorm" need no name; "auto" and "on" do
    if axis.name == "glu_expansion":
        return f"{knob_name(sweep, axis).partition(' ')[0]} {label}"
    return f"{_SHORT_NAMES.get(axis.name) or mid_sentence(knob_name(sweep, axis))} {label}"


def _shapes(designs: Sequence[Design]) -> str:
    return f"{_span(designs, 'd_model')} × {_span(designs, 'n_layers')}"


def _span(designs: Sequence[Design], dimension: str) -> str:
    found = [design.architecture.concrete()[dimension] for design in designs]
    return f"{min(found):,}" if min(found) == max(found) else f"{min(found):,}–{max(found):,}"
