"""What published evidence says of models side by side: their depth, their proportions and their embedding ratio."""

from collections.abc import Iterable, Sequence
from statistics import median

from slimlm.compare.comparison import Comparison
from slimlm.core.accounting import Account
from slimlm.core.describe import counted
from slimlm.core.published import published_near
from slimlm.core.shape_law import levine_shape
from slimlm.notes.budget import VOCABULARY_SLACK, optimal_vocabulary
from slimlm.notes.note import FAHIM, LEVINE, PUBLISHED, TAO
from slimlm.notes.plausibility import about, oddities
from slimlm.notes.published_laws import critical_depths
from slimlm.notes.shape import LEVINE_SLACK, block_params, critical_text
from slimlm.utils.formatting import format_share
from slimlm.utils.text import listed

_MOST_DETAILED = 3
"""Most models whose figures are written out."""

EVIDENCE = "; ".join((LEVINE, FAHIM, TAO, PUBLISHED))
"""Sources of the evidence."""

_ODD = "is outside what published models have"


def evidence_sentence(comparison: Comparison) -> str:
    """Say where published evidence tells models apart, and where it judges them alike."""
    sentence = f"{_shape_clause(comparison)}; {_vocabulary_clause(comparison)}."
    opens_with_a_name = sentence.startswith(tuple(f"{name} " for name in comparison.quoted))
    return sentence if opens_with_a_name else f"{sentence[0].upper()}{sentence[1:]}"


# Shapes.


def _shape_clause(comparison: Comparison) -> str:
    """Place every model by its shape: outside of what is published, or by two conflicting fits of depth."""
    accounts = dict(zip(comparison.quoted, (pin.subject.account for pin in comparison.pins), strict=True))
    judged = {name: _shape(account) for name, account in accounts.items()}
    first = next((name for name, judgement in judged.items() if judgement != _ODD), None)
    clauses = []
    for judgement, names in _grouped(judged).items():
        told = names
        if len(accounts if judgement != _ODD else names) <= _MOST_DETAILED:
            told = [f"{name} ({_figures(accounts[name], in_full=name == first)})" for name in names]
        clauses.append(f"{_some(told, len(accounts))} {_plural(judgement) if len(told) > 1 else judgement}")
    return listed(clauses)


def _shape(account: Account) -> str:
    if oddities(account):
        return _ODD
    arch = account.architecture
    ratio = arch.n_layers / levine_shape(block_params(account))[0]
    beyond = arch.n_layers > critical_depths(arch.d_model)[1]
    if ratio > LEVINE_SLACK:
        return "is deeper than both fits of depth" if beyond else "is deeper than Levine and colleagues' fit"
    if beyond:
        return "is deeper than Fahim and Karim's fit"
    return "is shallower than Levine and colleagues' fit" if ratio < 1 / LEVINE_SLACK else "agrees with both fits"


def _plural(judgement: str) -> str:
    return judgement.replace("is ", "are ", 1).replace("agrees", "agree")


def _figures(account: Account, *, in_full: bool) -> str:
    """Give the depth of a model and of both fits, or what is out of the ordinary."""
    if odd := oddities(account):
        return f"{odd[0].text[0].lower()}{odd[0].text[1:]}"
    arch, optimum = account.architecture, levine_shape(block_params(account))[0]
    layers, critical = counted(arch.n_layers, "layer"), critical_text(arch.d_model)
    fitted = f"{max(1, round(optimum))}{'' if 6 <= optimum <= 48 else ', extrapolated'}"
    if in_full:
        return (
            f"{layers}; Levine and colleagues predict {fitted}, and Fahim and Karim's preprint finds loss rising "
            f"beyond {critical}"
        )
    return f"{layers}; {fitted}, and {critical}"


# Embedding ratios.


def _vocabulary_clause(comparison: Comparison) -> str:
    """Place every embedding ratio beside the compute-optimal one and that of published models."""
    accounts = [pin.subject.account for pin in comparison.pins]
    sides = dict(zip(comparison.quoted, map(_side, accounts), strict=True))
    optima = [optimal_vocabulary(account)[2] for account in accounts]
    optimum = f"the compute-optimal {_ends(f'{100 * share:.0f} %' for share in sorted(optima))} of Tao and colleagues"
    ratios = _ends(format_share(account.embedding_ratio) for account in _by_ratio(accounts))
    groups, count = _grouped(sides), len(accounts)
    if len(groups) == 1:
        every = "both" if count == 2 else f"all {count}"
        told = f"{every} embedding ratios ({ratios}) are {next(iter(groups))} {optimum}"
    else:
        parts = listed(f"{side} in {_some(names, count)}" for side, names in groups.items())
        told = f"against {optimum}, the embedding ratio ({ratios}) is {parts}"
    return f"{told}{_published(accounts)}"


def _side(account: Account) -> str:
    ratio = account["token_embedding"].params / optimal_vocabulary(account)[1]
    if ratio > VOCABULARY_SLACK:
        return "above"
    return "below" if ratio < 1 / VOCABULARY_SLACK else "near"


def _published(accounts: Sequence[Account]) -> str:
    """Give the median embedding ratio of published models of the size, where the models have one size."""
    totals = [account.total_params for account in accounts]
    near = published_near(totals[0])
    if max(totals) > 1.1 * min(totals) or not near:
        return ""
    middle = format_share(median([model.embedding_ratio for model in near]))
    return f" (median of published models near {about(totals[0])}: {middle})"


def _by_ratio(accounts: Iterable[Account]) -> list[Account]:
    return sorted(accounts, key=lambda account: account.embedding_ratio)


# Words.


def _ends(texts: Iterable[str]) -> str:
    """Join the first and the last share: "25.5 to 43.7 %"."""
    low, *_, high = [*texts]
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _grouped(judged: dict[str, str]) -> dict[str, list[str]]:
    """Return the names by what is said of them."""
    groups: dict[str, list[str]] = {}
    for name, judgement in judged.items():
        groups.setdefault(judgement, []).append(name)
    return groups


def _some(names: Sequence[str], count: int) -> str:
    """Name up to three models; count more."""
    if len(names) == count > _MOST_DETAILED:
        return f"all {count} models"
    return listed(names) if len(names) <= _MOST_DETAILED else f"{len(names)} models"
