"""Findings of a comparison: what differs, what published evidence says of it, and what no formula can tell."""

from dataclasses import dataclass
from enum import StrEnum

from slimlm.compare.comparison import Comparison
from slimlm.compare.effects import effects_sentence
from slimlm.compare.evidence import EVIDENCE, evidence_sentence
from slimlm.costs.laws import BESIROGLU
from slimlm.utils.text import listed

_ONE_SIZE = 1.1
"""Factor within which models count as of one size."""

_MOST_LISTED = 3
"""Most models whose figures are written out."""


class Kind(StrEnum):
    """What a finding is about, as a heading."""

    EFFECTS = "What differs"
    EVIDENCE = "What evidence says"
    LIMITS = "What no formula tells"


@dataclass(frozen=True)
class Finding:
    """One sentence on a comparison."""

    kind: Kind
    text: str
    source: str = ""


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """Return the findings of a comparison; none for a single model.

    >>> from slimlm.compare.presets import preset_pins
    >>> found = findings(Comparison(preset_pins("25, 35 and 45 % of 10M in embeddings")))
    >>> [str(finding.kind) for finding in found]
    ['What differs', 'What evidence says', 'What no formula tells']
    """
    if len(comparison.pins) < 2:
        return ()
    if comparison.are_equal:
        return (Finding(Kind.EFFECTS, effects_sentence(comparison)),)
    return (
        Finding(Kind.EFFECTS, effects_sentence(comparison)),
        Finding(Kind.EVIDENCE, evidence_sentence(comparison), EVIDENCE),
        Finding(Kind.LIMITS, _limits_sentence(comparison), BESIROGLU.source),
    )


def _limits_sentence(comparison: Comparison) -> str:
    """Say that the predicted loss sees size and tokens alone."""
    totals = [pin.subject.total_params for pin in comparison.pins]
    alike = max(totals) <= _ONE_SIZE * min(totals)
    what = "it cannot rank shapes of one size, only training them can" if alike else "it tells sizes apart, not shapes"
    vocabulary = "" if comparison.line("vocab_size").equal else ", and losses of different vocabularies do not compare"
    return (
        f"The predicted loss ({_losses(comparison)}) depends on parameters and training tokens alone: "
        f"{what}{vocabulary}."
    )


def _losses(comparison: Comparison) -> str:
    """Write the predicted losses in the order of the models, or the ends of many."""
    line = comparison.line("loss_nats")
    texts = line.texts
    if len(set(texts)) == 1:
        return f"{texts[0]} for {'both' if len(texts) == 2 else 'every model'}"
    if len(texts) <= _MOST_LISTED:
        return f"{listed(text.removesuffix(' nats') for text in texts)} nats, in this order"
    low, high = (line.quantity.write(value) for value in (min(line.values), max(line.values)))  # type: ignore
    return f"{low.removesuffix(' nats')} to {high}"
