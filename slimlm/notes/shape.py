"""Design notes on depth, widths and the structure of a block."""

import math
from statistics import median

from slimlm.core.accounting import Account
from slimlm.core.architecture import width_multiple
from slimlm.core.budget import ratio_at
from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.core.published import all_published, published_near
from slimlm.core.shape_law import levine_shape
from slimlm.notes.note import (
    ANTHONY,
    BIAN,
    CHOWDHERY,
    FAHIM,
    KAPLAN,
    LEVINE,
    MOBILE,
    NVIDIA,
    PUBLISHED,
    SHAZEER,
    VASWANI_FFN,
    Note,
    Severity,
    active_words,
    format_number,
    name_sizes,
)
from slimlm.notes.published_laws import critical_depths
from slimlm.utils.formatting import format_count


def alignment(design: Design) -> Note | None:
    """Name the widths that are not aligned to tensor cores, and the cost of alignment."""
    arch = design.architecture
    widths = {"d_model": arch.d_model, "d_ff": arch.d_ff}
    grain = 8 if any(width % 8 for width in widths.values()) else 64
    off = [f"{name} {width:,}" for name, width in widths.items() if width % grain]
    if not off:
        return None
    are = "are" if len(off) == 2 else "is"
    where = "tensor cores" if grain == 8 else "the tensor cores of an A100"
    text = (
        f"16-bit matrix products are most efficient on {where} when widths are multiples of {grain}, and "
        f"{' and '.join(off)} {are} not: "
        f"multiple_of={grain} aligns them, {_cost_of_alignment(design, grain)}."
    )
    severity = Severity.WARNING if grain == 8 else Severity.ADVICE
    return Note("alignment", severity, text, " · ".join(off), f"{NVIDIA}; {ANTHONY}")


def _cost_of_alignment(design: Design, grain: int) -> str:
    """Return the embedding ratio of one step of d_model, which is the cost of alignment in a small model.

    With a budget that leaves the vocabulary out, steps shrink as d_model grows: the first is the largest.
    """
    config = design.config
    own = 1 if config.n_heads == "auto" else width_multiple(config.n_heads, config.head_dim, config.positions)
    step = ratio_at(config, math.lcm(own, grain))
    if step >= 0.5:
        return "but too coarsely for this total and vocabulary"
    if step < 0.01:
        return "at little cost"
    return f"but in steps of {format_number(100 * step)} percentage points of embedding ratio"


def depth(design: Design) -> Note | None:
    """Point out depths that no published model of less than 400B parameters comes near."""
    layers = design.architecture.n_layers
    if 4 <= layers <= 100:
        return None
    models = sorted(all_published(), key=lambda model: model.architecture.n_layers)
    if layers < 4:
        severity, source, model = (Severity.WARNING if layers == 1 else Severity.ADVICE), KAPLAN, models[0]
        why = "few: models with fewer than 2 deviate from the trend of loss with size, and the shallowest"
    else:
        severity, source, model = Severity.WARNING, LEVINE, models[-1]
        why = "many: the fit of Levine and colleagues gives 95 only at a trillion parameters, and the deepest"
    are = "is" if layers == 1 else "are"
    text = (
        f"{counted(layers, 'layer')} {are} {why} published model in slimlm ({model.name}) has "
        f"{model.architecture.n_layers}."
    )
    return Note("depth", severity, text, counted(layers, "layer"), f"{source}; {PUBLISHED}")


def aspect_ratio(design: Design) -> Note | None:
    """Compare d_model / n_layers with that of published models of about this size."""
    near = published_near(design.account.active_params)
    if not near:
        return None
    ratio = design.architecture.d_model / design.architecture.n_layers
    published = [model.aspect_ratio for model in near]
    # MobileLLM-125M, deliberately deep, is 3.3 times below the median of its size: only more than that is far.
    if 1 / 4 <= ratio / median(published) <= 4:
        return None
    middle = format_number(median(published))
    text = (
        f"d_model / n_layers is {format_number(ratio)}, far from the median {middle} of {name_sizes(near)} "
        f"(from {format_number(min(published))} to {format_number(max(published))}){active_words(design)}."
    )
    return Note("aspect_ratio", Severity.ADVICE, text, f"{format_number(ratio)}, median {middle}", PUBLISHED)


LEVINE_SLACK = 4 / 3
"""Factor off the depth of Levine et al. 2020 that is agreement."""


def block_params(account: Account) -> int:
    """Return the parameters that a token uses outside embeddings, positions and LM head."""
    blocks = sum(part.active_params for part in account.components if part.per_layer)
    return blocks + account["final_norm"].params


def critical_text(d_model: int) -> str:
    """Write the critical depths of a width: "9 to 12"."""
    return " to ".join(dict.fromkeys(f"{value:.0f}" for value in critical_depths(d_model)))


def depth_or_width(design: Design) -> Note | None:
    """Give the conflicting evidence on the depth of a design."""
    arch, params = design.architecture, block_params(design.account)
    optimum, width = levine_shape(params)
    agrees = 1 / LEVINE_SLACK <= arch.n_layers / optimum <= LEVINE_SLACK
    if agrees and arch.n_layers <= critical_depths(arch.d_model)[0]:
        return None
    extrapolated = "" if 6 <= optimum <= 48 else " (extrapolated: the fit has 6 to 48 layers)"
    critical = critical_text(arch.d_model)
    text = (
        "The evidence on depth against width conflicts: d_model / n_layers is "
        f"{format_number(arch.d_model / arch.n_layers)} here; for {format_count(params)} non-embedding parameters "
        f"Levine and colleagues predict {counted(max(1, round(optimum)), 'layer')} of width {width:,.0f}"
        f"{extrapolated}; MobileLLM has 30 layers of width 576 at 125M; Fahim and Karim find that loss rises beyond "
        f"about {critical} layers at d_model {arch.d_model:,}; Kaplan and colleagues find that shape matters little."
    )
    figure = f"{counted(arch.n_layers, 'layer')} · Levine {optimum:.0f} · D_crit {critical}"
    return Note("depth_or_width", Severity.INFO, text, figure, f"{LEVINE}; {MOBILE}; {FAHIM}; {KAPLAN}")


def expansion(design: Design) -> Note | None:
    """Compare d_ff / d_model with the usual value, 8/3 with a gate and 4 without."""
    arch = design.architecture
    got, gated = arch.glu_expansion, arch.is_gated
    if arch.is_mixture:  # d_ff is the width of one expert
        return None
    if abs(got / (8 / 3 if gated else 4) - 1) <= 0.1:
        return None
    name, usual, source = ("GLU", "8/3", SHAZEER) if gated else ("feed-forward", "4", VASWANI_FFN)
    whose = "Shazeer, for the parameters of an ungated 4" if gated else "Vaswani and colleagues"
    to_attention = design.account["ffn"].params / design.account["attention"].params
    text = (
        f"A {name} expansion of {got:.2f} differs from the usual {usual} ({whose}) and makes the feed-forward "
        f"{format_number(to_attention)} times attention, where Bian and colleagues find about 1 best and Kaplan and "
        "colleagues find loss nearly flat for ungated expansions of 1 to 10."
    )
    # A gated feed-forward has three matrices for two: an expansion of 2/3 with the parameters of an ungated 1.
    ungated = got * (3 / 2 if gated else 1)
    severity = Severity.INFO if 1 <= ungated <= 10 else Severity.ADVICE
    return Note("expansion", severity, text, f"{got:.2f}, usual {usual}", f"{source}; {BIAN}; {KAPLAN}")


def parallel_blocks(design: Design) -> Note | None:
    """Give the speed and quality of parallel blocks."""
    if not design.architecture.block.startswith("parallel"):
        return None
    models = all_published()
    alike = [model for model in models if model.architecture.block.startswith("parallel")]
    families = " and ".join(dict.fromkeys(model.family for model in alike))
    text = (
        "PaLM's parallel blocks trained about 15 % faster, at a small loss of quality with 8B parameters and none with "
        f"62B: that speaks against them in a small model, although {len(alike)} of the {len(models)} published models "
        f"in slimlm have them ({families})."
    )
    return Note("parallel_blocks", Severity.INFO, text, "8B small loss · 62B none", f"{CHOWDHERY}; {PUBLISHED}")
