"""Design notes on the share of the vocabulary-sized tables."""

from statistics import median

from slimlm.core.accounting import Account
from slimlm.core.design import Design
from slimlm.core.published import published_near
from slimlm.notes.note import (
    ANTHONY,
    MEGATRON,
    MOBILE,
    PUBLISHED,
    TAO,
    Note,
    Severity,
    active_words,
    format_number,
    name_sizes,
)
from slimlm.notes.published_laws import TAO_SMALLEST, tao_vocabulary_params
from slimlm.utils.formatting import format_count, format_share


def vocabulary_padding(design: Design) -> Note | None:
    """Give the parameters of the padding that would align the LM head's matrix product."""
    arch = design.architecture
    if arch.vocab_size % 128 == 0:
        return None
    grain, severity = (64, Severity.ADVICE) if arch.vocab_size % 64 else (128, Severity.INFO)
    padded = -(-arch.vocab_size // grain) * grain
    cost = (arch.vocabulary_tables * arch.d_model + arch.lm_head_bias) * (padded - arch.vocab_size)
    text = (
        f"A vocabulary of {arch.vocab_size:,} is not a multiple of {grain}: padding it to {padded:,} aligns the "
        f"LM head's matrix product and costs {cost:,} parameters ({format_share(cost / design.total_params)})."
    )
    return Note("vocabulary_padding", severity, text, f"{arch.vocab_size:,} → {padded:,}", f"{ANTHONY}; {MEGATRON}")


VOCABULARY_SLACK = 1.5
"""Factor off the compute-optimal vocabulary that is agreement: the paper's own approaches differ by up to 1.4."""


def optimal_vocabulary(account: Account) -> tuple[int, float, float]:
    """Return a model's other parameters, the compute-optimal ones of one vocabulary table, and the ratio they give."""
    rest = account.active_params - account["token_embedding"].params - account["lm_head"].params
    optimum = tao_vocabulary_params(rest)
    tables = account.architecture.vocabulary_tables * optimum
    return rest, optimum, tables / (rest + tables)


def vocabulary_optimum(design: Design) -> Note | None:
    """Compare the vocabulary's table with the compute-optimal one."""
    arch, account = design.architecture, design.account
    table, share = account["token_embedding"].params, account.embedding_params / account.active_params
    of = " of the active parameters" if arch.is_mixture else ""
    rest, optimum, best = optimal_vocabulary(account)
    if 1 / VOCABULARY_SLACK <= table / optimum <= VOCABULARY_SLACK:
        return None
    usual = ", as is every ratio from 25 to 45 %" if 0.25 <= share <= 0.45 and best < 0.2 else ""
    extrapolated = " (extrapolated below 33M)" if rest < TAO_SMALLEST else ""
    text = (
        f"The embedding ratio of {format_share(share)}{of} is {'above' if table > optimum else 'below'} the "
        f"compute-optimal {format_share(best)} of Tao and colleagues{usual}: for {format_count(rest)} other parameters "
        f"their law{extrapolated} gives a token embedding of {format_count(round(optimum))} parameters "
        f"({format_number(optimum / arch.d_model)} tokens at d_model {arch.d_model:,}), and this one has "
        f"{format_count(table)}."
    )
    figure = f"{format_share(share)}, optimum {format_share(best)}"
    return Note("vocabulary_optimum", Severity.ADVICE, text, figure, TAO)


def published_share(design: Design) -> Note | None:
    """Compare the embedding ratio with that of published models of about the size."""
    near = sorted(published_near(design.account.active_params), key=lambda model: model.embedding_ratio)
    if not near:
        return None
    share = format_share(design.account.embedding_params / design.account.active_params)
    of = ", of the active parameters" if design.architecture.is_mixture else ""
    middle = format_share(median([model.embedding_ratio for model in near]))
    ends = " to ".join(f"{format_share(model.embedding_ratio)} in {model.name}" for model in (near[0], near[-1]))
    text = (
        f"The embedding ratio of {share} (vocabulary-sized matrices{of}) compares with a median of {middle} in "
        f"{name_sizes(near)} (from {ends}){active_words(design)}."
    )
    return Note("published_share", Severity.INFO, text, f"{share}, median {middle}", PUBLISHED)


def untied_head(design: Design) -> Note | None:
    """Give the parameters of an untied LM head."""
    head = design.account["lm_head"]
    if design.architecture.tied_lm_head or head.share < 0.1:
        return None
    figure = f"{format_count(head.params)} ({format_share(head.share)})"
    text = (
        f"The untied LM head has {figure} of the parameters: by tying it, MobileLLM saved 11.8 % at 125M, lost 0.2 "
        "points of accuracy and regained them with more layers."
    )
    return Note("untied_head", Severity.ADVICE, text, figure, MOBILE)
