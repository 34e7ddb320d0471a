"""Notes about mixtures of experts: what a token uses, and how wide experts are, beside published mixtures."""

from statistics import median

from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.core.published import PublishedModel, published_experts
from slimlm.notes.note import DAI, PUBLISHED, Note, Severity, format_number
from slimlm.utils.formatting import format_share


def experts(design: Design) -> Note | None:
    """Place the share of the experts that a token uses, and their width, among published mixtures."""
    arch = design.architecture
    if not arch.is_mixture:
        return None
    used, width = arch.experts_per_token / arch.n_experts, arch.glu_expansion
    shares, widths = _figures()
    active = format_share(design.account.active_params / design.total_params)
    routed = counted(arch.n_experts, "routed expert")
    text = (
        f"A token uses {arch.experts_per_token:,} of {routed} ({format_share(used)}), and {active} of all parameters; "
        f"the published mixtures in slimlm use {_ends(shares)} of their experts, which are {_widths(widths)} times as "
        f"wide as d_model (here {format_number(width)})."
    )
    outside = not (min(shares) <= used <= max(shares) and min(widths) <= width <= max(widths))
    severity = Severity.ADVICE if outside else Severity.INFO
    figure = f"{format_share(used)}, median {format_share(median(shares))}"
    return Note("experts", severity, text, figure, f"{PUBLISHED}; {DAI}")


def _figures() -> tuple[list[float], list[float]]:
    mixtures = [model for model in published_experts() if model.architecture.is_mixture]
    return [_used(model) for model in mixtures], [model.architecture.glu_expansion for model in mixtures]


def _used(model: PublishedModel) -> float:
    return model.architecture.experts_per_token / model.architecture.n_experts


def _ends(shares: list[float]) -> str:
    return f"{format_share(min(shares))} to {format_share(max(shares))}"


def _widths(widths: list[float]) -> str:
    return f"{format_number(min(widths))} to {format_number(max(widths))}"
