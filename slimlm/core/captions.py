"""Captions of charts and cards: the request, the result and the components in words."""

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION, Component
from slimlm.core.config import ModelConfig
from slimlm.core.describe import choice_words, expansion_name
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.utils.formatting import format_count, format_miss, format_share, format_size

RATIO_LINE = f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}."


def request_line(config: ModelConfig) -> str:
    """Say what was asked in one line.

    >>> request_line(ModelConfig(n_layers=9, norm="rmsnorm"))[-81:]
    'embedding ratio 0.35 · GLU expansion 2.66 · tied · 512 tokens · RMSNorm · depth 9'
    """
    parts = [
        format_size(config.total_params),
        f"vocabulary {config.vocab_size:,}",
        f"embedding ratio {config.embedding_ratio:g}",
        f"{expansion_name(config)} {config.glu_expansion:g}",
        *choice_words(config),
    ]
    if config.n_layers is not None:
        parts.append(f"depth {config.n_layers:,}")
    if config.multiple_of > 1:
        parts.append(f"multiples of {config.multiple_of:,}")
    return f"Target: {' · '.join(parts)}"


def named_model_line(named_model: NamedModel) -> str:
    """Say where a named model comes from and what it has chosen, in one line."""
    arch = named_model.architecture
    parts = [
        f"vocabulary {arch.vocab_size:,}",
        f"embedding ratio {named_model.account.embedding_ratio:.3f}",
        f"{expansion_name(arch)} {arch.glu_expansion:.3g}",
        *choice_words(arch),
    ]
    return f"{named_model.origin}: {' · '.join(parts)}"


def source_line(subject: Subject) -> str:
    """Say in one line what was asked, or where a named model comes from."""
    return request_line(subject.config) if isinstance(subject, Design) else named_model_line(subject)


def result_line(design: Design) -> str:
    """Say what the request became, with the misses, in one line."""
    total, ratio, expansion = design.targets
    return (
        f"Actual: {format_count(round(total.actual))} ({format_miss(total.miss)}) · "
        f"embedding ratio {ratio.actual:.3f} ({format_miss(ratio.miss)}) · "
        f"{expansion_name(design.config)} {expansion.actual:.3g} ({format_miss(expansion.miss)})"
    )


def describe_allocation(subject: Subject) -> str:
    """Describe in one sentence where the parameters went, for those who do not see the chart."""
    parts = [f"{part.name} {format_share(part.share)}" for part in largest_first(subject) if part.params]
    return f"{subject.title}: {', '.join(parts)}."


def largest_first(subject: Subject) -> list[Component]:
    """Return the components of a model, largest first."""
    return sorted(subject.account.components, key=lambda part: -part.params)


def in_words(part: Component) -> str:
    """Say what a component counts, or why it counts nothing."""
    if part.params:
        return f"{part.name} {format_count(part.params)} ({format_share(part.share)})"
    return f"{part.name} — {part.note}: 0" if part.note else f"{part.name}: 0"
