"""Table rows of a report, shared by HTML and Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION
from slimlm.core.captions import target_texts
from slimlm.core.config import ModelConfig, written
from slimlm.core.describe import expansion_name, structure_words
from slimlm.core.design import OFF_TARGET, TOLERANCE, Design, TargetActual
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.table import component_rows, percent
from slimlm.serialization.code import field_names, literal
from slimlm.solver.alternatives import alternatives
from slimlm.utils.formatting import format_miss, format_share
from slimlm.utils.validation import field_docs

Cells = Sequence[str]

TARGETS_HEAD = ("", "Target", "Actual", "Miss")
TABLE_HEAD = ("Component", "Formula", "Tensors", "Per layer × layers", "Parameters", "Share")
ALTERNATIVES_HEAD = ("Change", "n_layers × d_model", "d_ff", "head_dim", "Total miss", "Ratio miss", "Expansion miss")
_RULES = (
    f"Design: of all models whose total lies within ±{100 * TOLERANCE:g} % of the target, the one that minimises "
    "ln(actual ratio / target ratio)² + ln(actual expansion / target expansion)². The actual ratio in this sum is "
    "relative to the target total.",
    f"Off target: a miss of more than {100 * OFF_TARGET:g} %.",
)


# Tables.


def target_rows(design: Design) -> list[Cells]:
    """Return target, actual and miss of each knob."""
    unit = " bytes" if design.config.budget == "bytes" else ""
    return [(text.label, *_target_cells(text.knob, unit), _miss(text.knob)) for text in target_texts(design)]


def figure_rows(named_model: NamedModel) -> list[Cells]:
    """Return total, ratio and expansion of a named model, which has no targets."""
    return [
        ("Total parameters", f"{named_model.total_params:,}"),
        ("Non-embedding parameters", f"{named_model.account.non_embedding_params:,}"),
        *active_rows(named_model),
        ("Embedding ratio", format_share(named_model.account.embedding_ratio)),
        (expansion_name(named_model.architecture), f"{named_model.architecture.glu_expansion:.4f}"),
    ]


def active_rows(subject: Subject) -> list[Cells]:
    """Return the parameters of a mixture that a token uses; nothing for a dense model."""
    active = subject.account.active_params
    return [("Active per token", f"{active:,}")] if subject.architecture.is_mixture else []


def _target_cells(knob: TargetActual, unit: str) -> tuple[str, str]:
    if knob.name == "total_params":
        return f"{knob.target:,}{unit}", f"{knob.actual:,}{unit}"
    return f"{knob.target:.6g}", f"{knob.actual:.4f}"


class OffTarget(str):
    """A table cell whose value is off target."""


def _miss(knob: TargetActual) -> str:
    miss = format_miss(knob.miss)
    return OffTarget(f"{miss} (off target)") if knob.off_target else miss


def dimension_rows(subject: Subject) -> list[Cells]:
    """Return the dimensions and choices of a model."""
    arch = subject.architecture
    structure, grouped = structure_words(arch), arch.kv_heads != arch.n_heads
    return [
        *(_count_rows(subject) if isinstance(subject, Design) else ()),
        ("n_layers × d_model", f"{arch.n_layers:,} × {arch.d_model:,}"),
        ("d_ff", f"{arch.d_ff:,}"),
        *active_rows(subject),
        ("n_heads × head_dim", f"{arch.n_heads:,} × {arch.head_width:,}"),
        *([("n_kv_heads", f"{arch.kv_heads:,}")] if grouped else []),
        *([("n_loops", f"{arch.n_loops:,}")] if arch.n_loops > 1 else []),
        ("vocab_size, LM head", f"{arch.vocab_size:,}, {'tied' if arch.tied_lm_head else 'untied'}"),
        ("max_seq_length", f"{arch.max_seq_length:,}"),
        *([("Structure", " · ".join(structure))] if structure else []),
    ]


def _count_rows(design: Design) -> list[Cells]:
    """Return the counts of a design that are not among its targets."""
    counts = {"total": ("Total parameters", design.total_params)}
    counts["non_embedding"] = ("Non-embedding parameters", design.account.non_embedding_params)
    return [(name, f"{count:,}") for budget, (name, count) in counts.items() if budget != design.config.budget]


def table_rows(subject: Subject | LayeredModel) -> Iterator[Cells]:
    """Yield the rows of the parameter table and its sum."""
    for row in component_rows(subject.account):
        part = row.component
        yield part.name, part.formula, row.tensors_text, row.layers_text, f"{row.params:,}", row.share_text
    account = subject.account
    parts = f"{account.non_embedding_params:,} non-embedding"
    if account.active_params < account.total_params:
        parts += f", {account.active_params:,} active per token"
    yield "Total", parts, "", "", f"{subject.total_params:,}", percent(10_000)


def definitions(subject: Subject) -> list[str]:
    """Return the definitions for a report."""
    return [
        f"Embedding ratio: {EMBEDDING_RATIO_DEFINITION}. Position embeddings are not part of it.",
        f"{expansion_name(subject.architecture)}: d_ff / d_model.",
        *(_RULES if isinstance(subject, Design) else ()),
    ]


def alternative_rows(design: Design) -> Iterator[Cells]:
    """Yield the alternatives to a design with their misses."""
    for other in alternatives(design):
        arch = other.design.architecture
        dims = f"{arch.n_layers:,} × {arch.d_model:,}", f"{arch.d_ff:,}", f"{arch.head_width:,}"
        yield other.change, *dims, *map(_miss, other.design.targets)


def request_rows(design: Design) -> list[Cells]:
    """Return the fields of the request with their values and meanings, as far as a file holds them."""
    docs, values = field_docs(ModelConfig), written(asdict(design.config))
    return [(name, literal(values[name]), docs[name]) for name in field_names(ModelConfig) if name in values]
