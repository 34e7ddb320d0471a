"""Lines of a comparison about the shape and the parameters of its models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slimlm.compare.line import Line
from slimlm.core.names import COMPONENT_NAMES
from slimlm.costs.quantity import Quantity, Workload
from slimlm.costs.shape import ACTIVE_PARAMS, SHAPE_QUANTITIES
from slimlm.serialization.fields import KNOBS
from slimlm.utils.formatting import Unit

_DIMENSIONS = ("n_layers", "d_model", "d_ff", "glu_expansion", "aspect_ratio")
_NUMBERS = ("n_heads", "n_kv_heads", "head_dim", "vocab_size", "max_seq_length")
_CHOICES = ("tied_lm_head", "norm", "positions", "ffn", "bias", "qk_norm", "block", "lm_head_bias", "embedding_norm")
_DETAILS = ("rope_theta", "position_offset", "dropout", "attention_dropout", "layer_norm_eps")
_NEWEST_DETAILS = (
    *("window_rope_theta", "rotary_share", "attention_scale", "attention_softcap"),
    *("logit_softcap", "embedding_scale", "residual_scale", "logit_scale", "routed_scale"),
)
_NEWEST_NUMBERS = (
    *("n_loops", "window", "layer_pattern", "n_experts", "experts_per_token", "n_shared_experts", "d_shared"),
    *("shared_expert_gate", "n_dense_layers", "d_dense", "router", "normalise_router", "n_expert_groups"),
    *("groups_per_token", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "v_head_dim"),
)
_NEWEST: dict[str, Unit] = {**dict.fromkeys(_NEWEST_NUMBERS, "whole"), **dict.fromkeys(_NEWEST_DETAILS, "real")}
"""Fields that a comparison shows only where a model has them, with their units."""

DETAILS = (*_DETAILS, *_NEWEST_DETAILS)
"""Numbers whose ratio says nothing about their effect."""


def shape_lines(loads: Sequence[Workload]) -> Iterator[Line]:
    """Yield dimensions, numbers and choices; those that few models have only where one of these has them."""
    for key in _DIMENSIONS:
        yield _line(SHAPE_QUANTITIES[key], "Shape", loads)
    for name in _NUMBERS:
        yield _line(_field(name, "whole"), "Shape", loads)
    for name in _CHOICES:
        yield replace(_line(_field(name, "whole"), "Shape", loads), labels=_labels(name))
    for name in _DETAILS:
        yield _line(_field(name, "real"), "Shape", loads)
    yield from _newest(loads)


def _newest(loads: Sequence[Workload]) -> Iterator[Line]:
    had = {name for load in loads for name in load.account.architecture.changed()}
    for name, unit in _NEWEST.items():
        if name in had:
            line = _line(_field(name, unit), "Shape", loads)
            words: dict[str | bool, str] = {value: value for value in line.values if isinstance(value, str)}
            words.update(_labels(name))
            yield replace(line, labels=words)


def _labels(name: str) -> Mapping[str | bool, str]:
    labels: dict[str | bool, str] = {True: "Yes", False: "No"}
    labels.update(KNOBS[name].words)
    return labels


def _field(name: str, unit: Unit) -> Quantity:
    """Return a field of the architecture as a quantity, with choices as they are."""

    def value(work: Workload) -> Any:
        arch = work.account.architecture
        return None if name == "rope_theta" and arch.positions != "rope" else arch.concrete()[name]

    return Quantity(key=name, name=KNOBS[name].label, unit=unit, of=value)


def parameter_lines(loads: Sequence[Workload]) -> Iterator[Line]:
    """Yield the counts of parameters: all, and those of each component."""
    yield _line(SHAPE_QUANTITIES["total_params"], "Parameters", loads)
    if any(load.account.architecture.is_mixture for load in loads):
        yield _line(ACTIVE_PARAMS, "Parameters", loads)
    for key in ("non_embedding_params", "embedding_ratio"):
        yield _line(SHAPE_QUANTITIES[key], "Parameters", loads)
    present = {part.key for load in loads for part in load.account.components}
    for key, name in COMPONENT_NAMES.items():
        if key in present:
            yield _line(_component(key, name), "Parameters", loads)
    block = Quantity(key="layer_params", name="One block", unit="params", of=lambda work: work.account.layer_params)
    yield _line(block, "Parameters", loads)


def _component(key: str, name: str) -> Quantity:
    """Return the parameters of a component as a quantity: 0 for a model without it."""

    def params(work: Workload) -> int:
        return sum(part.params for part in work.account.components if part.key == key)

    return Quantity(key=f"{key}_params", name=name, unit="params", of=params)


def _line(quantity: Quantity, group: str, loads: Sequence[Workload]) -> Line:
    return Line(quantity=quantity, group=group, values=tuple(map(quantity.of, loads)))
