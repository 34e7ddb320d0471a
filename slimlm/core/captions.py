"""Captions of charts and cards: the request, the result and the components in words."""

from typing import NamedTuple

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION, Component
from slimlm.core.budget_text import budget_amount, budget_label, budget_suffix, rounded_amount, write_bytes
from slimlm.core.config import ModelConfig
from slimlm.core.describe import choice_words, expansion_name, head_word, length_words, structure_words
from slimlm.core.design import Design, TargetActual
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel, Subject
from slimlm.utils.formatting import format_count, format_miss, format_ratio, format_share, format_size

RATIO_LINE = f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def request_line(config: ModelConfig) -> str:
    """Return the targets and choices of a request on one line.

    >>> request_line(ModelConfig(n_layers=9, norm="rmsnorm"))[-81:]
    'embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · RMSNorm · depth 9'
    """
    return f"Target: {' · '.join(request_parts(config).values())}"


def request_parts(config: ModelConfig) -> dict[str, str]:
    """Return the parts of `request_line` by field name; structure other than the default is keyed by its own words.

    >>> list(request_parts(ModelConfig(norm="rmsnorm")))[3:]
    ['glu_expansion', 'tied_lm_head', 'max_seq_length', 'RMSNorm']
    """
    ratio = config.embedding_ratio
    parts = {
        "total_params": budget_amount(config),
        "vocab_size": f"vocabulary {config.vocab_size:,}",
        "embedding_ratio": f"embedding ratio {ratio if isinstance(ratio, str) else f'{ratio:g}'}",
        "glu_expansion": f"{expansion_name(config)} {config.glu_expansion:g}",
        "tied_lm_head": head_word(config),
        "max_seq_length": length_words(config),
    }
    parts |= {words: words for words in structure_words(config)}
    if config.n_layers is not None:
        parts["n_layers"] = f"depth {config.n_layers:,}"
    if config.multiple_of > 1:
        parts["multiple_of"] = f"multiples of {config.multiple_of:,}"
    return parts


def named_model_line(named_model: NamedModel) -> str:
    """Return the origin and the choices of a named model on one line."""
    arch = named_model.architecture
    parts = [
        f"vocabulary {arch.vocab_size:,}",
        f"embedding ratio {named_model.account.embedding_ratio:.3f}",
        f"{expansion_name(arch)} {arch.glu_expansion:.3g}",
        *choice_words(arch),
    ]
    return f"{named_model.origin}: {' · '.join(parts)}"


def layered_line(model: LayeredModel) -> str:
    """Return the origin, the tables and the layers of a model whose layers differ on one line."""
    parts = [
        f"vocabulary {model.vocab_size:,}",
        f"embedding ratio {model.account.embedding_ratio:.3f}",
        "tied" if model.tied_lm_head else "untied",
        model.order if len(model.order) <= _LONGEST_ORDER else f"{model.n_layers:,} layers that differ",
    ]
    return f"{model.origin}: {' · '.join(parts)}"


_LONGEST_ORDER = 80


def source_line(subject: Subject | LayeredModel) -> str:
    """Return the request of a design, or the origin of another model, on one line."""
    if isinstance(subject, LayeredModel):
        return layered_line(subject)
    return request_line(subject.config) if isinstance(subject, Design) else named_model_line(subject)


def result_line(design: Design) -> str:
    """Return the actual values with their misses on one line."""
    total, shape, expansion = design.targets
    actual = format_ratio(shape.actual) if design.shape_leads else f"{shape.actual:.3f}"
    parts = [
        f"{rounded_amount(design.config, total.actual)}{budget_suffix(design.config)} ({format_miss(total.miss)})",
        f"{target_name(design.config, shape)} {actual} ({format_miss(shape.miss)})",
        f"{expansion_name(design.config)} {expansion.actual:.3g} ({format_miss(expansion.miss)})",
    ]
    if design.shape_leads:
        parts.append(f"embedding ratio {design.account.embedding_ratio:.3f}")
    return f"Actual: {' · '.join(parts)}"


def target_name(config: ModelConfig, target: TargetActual) -> str:
    """Return the name of a target as it stands in a sentence."""
    names = {"total_params": "total", "embedding_ratio": _ratio_name(config), "aspect_ratio": "d_model / n_layers"}
    return names.get(target.name) or expansion_name(config)


def _ratio_name(config: ModelConfig) -> str:
    """Return the name of the ratio that a request targets: with a budget of active parameters, that of those."""
    return "embedding ratio of active" if config.budget == "active" and config.n_experts else "embedding ratio"


class TargetText(NamedTuple):
    """One target of a design, written for a tile or a card."""

    label: str
    target: str
    actual: str
    knob: TargetActual


def target_texts(design: Design) -> tuple[TargetText, TargetText, TargetText]:
    """Return label, target and actual value of each target.

    >>> from slimlm import solve
    >>> [text[:3] for text in target_texts(solve(ModelConfig()))][1]
    ('Embedding ratio', '35 %', '34.4 %')
    """
    total, shape, expansion = design.targets
    if design.shape_leads:
        written = TargetText("d_model / n_layers", format_ratio(shape.target), format_ratio(shape.actual), shape)
    else:
        of_active = _ratio_name(design.config) != "embedding ratio"
        label = "Embedding / active" if of_active else "Embedding ratio"
        written = TargetText(label, f"{100 * shape.target:.4g} %", format_share(shape.actual), shape)
    return (
        _budget_text(design.config, total),
        written,
        TargetText(expansion_name(design.config), f"{expansion.target:.4g}", f"{expansion.actual:.3f}", expansion),
    )


def _budget_text(config: ModelConfig, total: TargetActual) -> TargetText:
    asked = write_bytes(config.total_params) if config.budget == "bytes" else format_size(config.total_params)
    label = budget_label(config.budget, config.budget_precision)
    return TargetText(label, asked, rounded_amount(config, total.actual), total)


def describe_allocation(subject: Subject | LayeredModel) -> str:
    """Return the share of each component in one sentence, as the text alternative of a chart."""
    parts = [f"{part.name} {format_share(part.share)}" for part in largest_first(subject) if part.params]
    return f"{subject.title}: {', '.join(parts)}."


def largest_first(subject: Subject | LayeredModel) -> list[Component]:
    """Return the components of a model, largest first."""
    return sorted(subject.account.components, key=lambda part: -part.params)


def in_words(part: Component) -> str:
    """Return the count of a component, or why it has no parameters."""
    if part.params:
        return f"{part.name} {format_count(part.params)} ({format_share(part.share)})"
    return f"{part.name} — {part.note}: 0" if part.note else f"{part.name}: 0"
