"""Design notes: what a good reviewer would raise about a design, each with its figure and its source.

A note never blocks. Where the evidence conflicts, the indicators stand side by side and none is called the best.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slimlm.design import Design
from slimlm.published import (
    TAO_SMALLEST,
    PublishedModel,
    critical_depths,
    levine_shape,
    published_models,
    published_near,
    tao_vocabulary_params,
)
from slimlm.units import format_count, format_share


class Severity(StrEnum):
    """How much a note matters: a warning is likely to hurt, advice is likely to help, info is good to know."""

    WARNING = "warning"
    ADVICE = "advice"
    INFO = "info"


@dataclass(frozen=True)
class Note:
    """One remark on a design."""

    key: str
    """Stable identifier of the rule."""
    severity: Severity
    text: str
    """One sentence, with the figure in it."""
    figure: str
    """The figure alone, for a table or a badge."""
    source: str
    """Paper and section, or documentation."""


_ANTHONY = "Anthony et al. 2024 (arXiv 2401.14489), sizing guidelines"
_BIAN = "Bian et al. 2025 (arXiv 2510.18245)"
_FAHIM = "Fahim & Karim 2026 (arXiv 2601.20994, preprint), critical depth"
_FLASH = "FlashAttention-2 (github.com/Dao-AILab/flash-attention), README and flash_attn_interface.py"
_KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361), sec. 3.1 and Fig. 5"
_LEVINE = "Levine et al. 2020 (arXiv 2006.12467), fit of optimal depth"
_MEGATRON = "Megatron-LM, make_vocab_size_divisible_by=128"
_MOBILE = "Liu et al. 2024, MobileLLM (arXiv 2402.14905)"
_NVIDIA = "NVIDIA, Matrix Multiplication Background User's Guide, Table 1"
_PUBLISHED = "slimlm.published, parameter counts of public models"
_ROPE = "Su et al. 2021, RoFormer (arXiv 2104.09864)"
_SHAZEER = "Shazeer 2020 (arXiv 2002.05202), sec. 2"
_TAO = "Tao et al. 2024 (arXiv 2407.13623), sec. 4.2 (Approach 2)"
_VASWANI = "Vaswani et al. 2017 (arXiv 1706.03762), sec. 3.5"


def design_notes(design: Design) -> tuple[Note, ...]:
    """Return what a reviewer would raise about a design: warnings first, then advice, then good-to-know."""
    found = [note for rule in _RULES if (note := rule(design))]
    return tuple(sorted(found, key=lambda note: list(Severity).index(note.severity)))


def _head_dim(design: Design) -> Note | None:
    width = design.architecture.head_dim
    padded = -(-width // 8) * 8
    severity, source = Severity.WARNING, _FLASH
    if width > 256:
        why = "wider than the 256 that FlashAttention supports"
    elif width % 8:
        why = (
            f"no multiple of 8: FlashAttention pads it to {padded} and computes {format_share(padded / width - 1)} more"
        )
        if width % 2:
            why, source = f"odd, which rules rotary positions out, and {why}", f"{_FLASH}; {_ROPE}"
        else:
            severity = Severity.ADVICE
    elif width < 32:
        severity, source = Severity.INFO, _PUBLISHED
        why = "narrower than the 32 to 256 of the published models known here other than TinyStories"
    else:
        return None
    return Note("head_dim", severity, f"A head_dim of {width:,} is {why}.", f"head_dim {width:,}", source)


def _alignment(design: Design) -> Note | None:
    arch = design.architecture
    widths = {"d_model": arch.d_model, "d_ff": arch.d_ff}
    grain = 8 if any(width % 8 for width in widths.values()) else 64
    off = [f"{name} {width:,}" for name, width in widths.items() if width % grain]
    if not off:
        return None
    are = "are no multiples" if len(off) == 2 else "is no multiple"
    where = "tensor cores" if grain == 8 else "the tensor cores of an A100"
    # A width of one grain more is this much more embedding: the price of alignment in a small model.
    step = math.lcm(arch.n_heads, grain) * arch.vocabulary_tables * arch.vocab_size / design.config.total_params
    cure = f"but in steps of {_number(100 * step)} points of embedding ratio" if step >= 0.01 else "at little cost"
    if step >= 0.5:
        cure = "but too coarsely for this total and vocabulary"
    text = (
        f"{' and '.join(off)} {are} of {grain}, with which 16-bit matrix products are most efficient on {where}: "
        f"multiple_of={grain} aligns them, {cure}."
    )
    severity = Severity.WARNING if grain == 8 else Severity.ADVICE
    return Note("alignment", severity, text, " · ".join(off), f"{_NVIDIA}; {_ANTHONY}")


def _vocabulary_padding(design: Design) -> Note | None:
    arch = design.architecture
    if arch.vocab_size % 128 == 0:
        return None
    grain, severity = (64, Severity.ADVICE) if arch.vocab_size % 64 else (128, Severity.INFO)
    padded = -(-arch.vocab_size // grain) * grain
    cost = arch.vocabulary_tables * arch.d_model * (padded - arch.vocab_size)
    text = (
        f"A vocabulary of {arch.vocab_size:,} is no multiple of {grain}: padding it to {padded:,} aligns the LM head's "
        f"matrix product and costs {cost:,} parameters ({format_share(cost / design.total_params)})."
    )
    return Note("vocabulary_padding", severity, text, f"{arch.vocab_size:,} → {padded:,}", f"{_ANTHONY}; {_MEGATRON}")


def _depth(design: Design) -> Note | None:
    layers = design.architecture.n_layers
    if 4 <= layers <= 100:
        return None
    models = sorted(published_models(), key=lambda model: model.n_layers)
    if layers < 4:
        severity, source, model = (Severity.WARNING if layers == 1 else Severity.ADVICE), _KAPLAN, models[0]
        why = "few: models of fewer than 2 leave the common trend of loss with size, and the shallowest"
    else:
        severity, source, model = Severity.WARNING, _LEVINE, models[-1]
        why = "many: the fit of Levine and colleagues asks for 95 only at a trillion parameters, and the deepest"
    are = "is" if layers == 1 else "are"
    text = f"{_layers(layers)} {are} {why} published model known here ({model.name}) has {model.n_layers}."
    return Note("depth", severity, text, _layers(layers), f"{source}; {_PUBLISHED}")


def _aspect_ratio(design: Design) -> Note | None:
    near = published_near(design.total_params)
    if not near:
        return None
    ratio = design.architecture.d_model / design.architecture.n_layers
    published = [model.aspect_ratio for model in near]
    # MobileLLM-125M, deliberately deep, is 3.3 times below the median of its size: only more than that is far.
    if 1 / 4 <= ratio / _median(published) <= 4:
        return None
    text = (
        f"d_model / n_layers is {_number(ratio)}, far from {_number(_median(published))}, the median of {_sizes(near)} "
        f"(from {_number(min(published))} to {_number(max(published))})."
    )
    figure = f"{_number(ratio)} beside {_number(_median(published))}"
    return Note("aspect_ratio", Severity.ADVICE, text, figure, _PUBLISHED)


def _depth_or_width(design: Design) -> Note | None:
    arch, account = design.architecture, design.account
    params = arch.n_layers * account.layer_params + account["final_norm"].params
    depth, width = levine_shape(params)
    low, high = critical_depths(arch.d_model)
    if 3 / 4 <= arch.n_layers / depth <= 4 / 3 and arch.n_layers <= low:
        return None
    extrapolated = "" if 6 <= depth <= 48 else " (extrapolated: the fit has 6 to 48 layers)"
    critical = " to ".join(dict.fromkeys(f"{value:.0f}" for value in (low, high)))
    text = (
        f"The evidence on depth against width conflicts: d_model / n_layers is {_number(arch.d_model / arch.n_layers)} "
        f"here, for {format_count(params)} non-embedding parameters Levine and colleagues predict "
        f"{_layers(max(1, round(depth)))} of {width:,.0f}{extrapolated}, MobileLLM chose 30 of 576 at 125M, Fahim and "
        f"Karim see loss rise beyond about {critical} layers at d_model {arch.d_model:,}, and Kaplan and colleagues "
        "find that shape matters little."
    )
    figure = f"{_layers(arch.n_layers)} · Levine {depth:.0f} · D_crit {critical}"
    return Note("depth_or_width", Severity.INFO, text, figure, f"{_LEVINE}; {_MOBILE}; {_FAHIM}; {_KAPLAN}")


def _vocabulary_optimum(design: Design) -> Note | None:
    arch, account = design.architecture, design.account
    table, tables, share = account["token_embedding"].params, arch.vocabulary_tables, account.embedding_ratio
    rest = account.total_params - table - account["lm_head"].params
    optimum = tao_vocabulary_params(rest)
    best = tables * optimum / (rest + tables * optimum)
    # The three approaches of the paper differ by up to 1.4 at these sizes: less than 1.5 is agreement.
    if 1 / 1.5 <= table / optimum <= 1.5:
        return None
    usual = ", as is every share of 25 to 45 %" if 0.25 <= share <= 0.45 and best < 0.2 else ""
    extrapolated = " (extrapolated below 33M)" if rest < TAO_SMALLEST else ""
    text = (
        f"The {format_share(share)} embedding share is {'above' if table > optimum else 'below'} the compute-optimal "
        f"{format_share(best)} of Tao and colleagues{usual}: for {format_count(rest)} other parameters their law"
        f"{extrapolated} gives a vocabulary table {format_count(round(optimum))}, which is "
        f"{_number(optimum / arch.d_model)} tokens at d_model {arch.d_model:,}, and this one has {format_count(table)}."
    )
    figure = f"{format_share(share)} beside {format_share(best)}"
    return Note("vocabulary_optimum", Severity.ADVICE, text, figure, _TAO)


def _published_share(design: Design) -> Note | None:
    near = sorted(published_near(design.total_params), key=lambda model: model.embedding_ratio)
    if not near:
        return None
    share = format_share(design.account.embedding_ratio)
    median = format_share(_median([model.embedding_ratio for model in near]))
    ends = " to ".join(f"{format_share(model.embedding_ratio)} in {model.name}" for model in (near[0], near[-1]))
    text = (
        f"{share} of all parameters are in vocabulary-sized matrices, beside {median}, the median of {_sizes(near)} "
        f"(from {ends})."
    )
    return Note("published_share", Severity.INFO, text, f"{share} beside {median}", _PUBLISHED)


def _untied_head(design: Design) -> Note | None:
    head = design.account["lm_head"]
    if head.share < 0.1:
        return None
    figure = f"{format_count(head.params)} ({format_share(head.share)})"
    text = (
        f"The untied LM head takes {figure} of the parameters: by tying it, MobileLLM saved 11.8 % at 125M for 0.2 "
        "points of accuracy, and won them back with more layers."
    )
    return Note("untied_head", Severity.ADVICE, text, figure, _MOBILE)


def _expansion(design: Design) -> Note | None:
    expansion = design.architecture.glu_expansion
    if abs(expansion / (8 / 3) - 1) <= 0.1:
        return None
    to_attention = design.account["ffn"].params / design.account["attention"].params
    text = (
        f"A GLU expansion of {expansion:.2f}, beside the 8/3 with which Shazeer keeps the parameters of an ungated 4, "
        f"makes the feed-forward {_number(to_attention)} times attention, where Bian and colleagues find about 1 best "
        "and Kaplan and colleagues find loss nearly flat for ungated expansions of 1 to 10."
    )
    # An ungated expansion of 1 to 10 has the parameters of a gated one of 2/3 to 20/3.
    severity = Severity.INFO if 2 / 3 <= expansion <= 20 / 3 else Severity.ADVICE
    return Note("expansion", severity, text, f"{expansion:.2f} beside 8/3", f"{_SHAZEER}; {_BIAN}; {_KAPLAN}")


def _learned_positions(design: Design) -> Note | None:
    positions = design.account["position_embedding"]
    if not positions.params:
        return None
    length = design.architecture.max_seq_length
    text = (
        f"Learned positions cap the context at {length:,} tokens, since a later one has no row in the table, and cost "
        f"{format_count(positions.params)} parameters ({format_share(positions.share)})."
    )
    severity = Severity.ADVICE if positions.share > 0.05 else Severity.INFO
    return Note("learned_positions", severity, text, f"{length:,} tokens", _VASWANI)


_RULES: tuple[Callable[[Design], Note | None], ...] = (
    _head_dim,
    _alignment,
    _vocabulary_padding,
    _depth,
    _aspect_ratio,
    _depth_or_width,
    _vocabulary_optimum,
    _published_share,
    _untied_head,
    _expansion,
    _learned_positions,
)


def _median(values: list[float]) -> float:
    ordered, count = sorted(values), len(values)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def _sizes(models: Sequence[PublishedModel]) -> str:
    totals = sorted({model.total_params for model in models})
    ends = " to ".join(map(format_count, dict.fromkeys((totals[0], totals[-1]))))
    return f"{len(models)} published model{'' if len(models) == 1 else 's'} of {ends}"


def _layers(count: int) -> str:
    return f"{count:,} layer{'' if count == 1 else 's'}"


def _number(value: float) -> str:
    if value < 0.01:
        return "less than 0.01"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"
