"""Comparison of pinned models: quantities of each, and their differences from a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from slimlm.compare.line import Line
from slimlm.compare.pins import Pin
from slimlm.compare.shape_lines import parameter_lines, shape_lines
from slimlm.core.describe import counted
from slimlm.costs import Cost, CostSettings, costs
from slimlm.costs.laws import CHINCHILLA_TOKENS_PER_PARAM
from slimlm.costs.quantity import Workload
from slimlm.utils.formatting import format_count
from slimlm.utils.text import listed
from slimlm.utils.validation import FieldError

_MOST_NAMED = 4


@dataclass(frozen=True)
class Comparison:
    """Pinned models, the index of the baseline, and the settings of their costs.

    Settings without a context_length take the longest that every model supports, so that costs are comparable.

    Raises FieldError for a baseline outside the models.
    """

    pins: tuple[Pin, ...]
    baseline: int = 0
    settings: CostSettings = field(default_factory=CostSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.baseline < len(self.pins):
            rule = f"it must be the index of one of {len(self.pins)} models, counted from 0"
            raise FieldError("baseline", self.baseline, rule, (("baseline", 0),))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(pin.name for pin in self.pins)

    @property
    def quoted(self) -> tuple[str, ...]:
        """Names for a sentence: in quotation marks where they are more than a word."""
        return tuple(f"“{name}”" if " " in name else name for name in self.names)

    @property
    def title(self) -> str:
        """All names on one line, or the number of models when there are many.

        >>> from slimlm.core.config import ModelConfig
        >>> Comparison((Pin(ModelConfig(), "a"), Pin(ModelConfig(n_heads=10), "b"), Pin(ModelConfig(), "c"))).title
        'a, b and c side by side'
        """
        if len(self.pins) > _MOST_NAMED:
            return f"{counted(len(self.pins), 'model')} side by side"
        return f"{listed(self.names)} side by side" if len(self.pins) > 1 else self.names[0]

    @property
    def terms(self) -> CostSettings:
        """Settings of the costs, with the shared context length filled in."""
        context = self.settings.context_length or longest_context(self.pins)
        return replace(self.settings, context_length=context)

    @property
    def terms_line(self) -> str:
        """The settings of the costs on one line."""
        terms = self.terms
        return " · ".join(
            [
                f"Costs at a context of {counted(terms.context_length or 0, 'token')}",
                f"training on {self._tokens} with {terms.accelerators:,} × {terms.chip.name} at "
                f"{100 * terms.utilisation:g} % of its peak and {terms.usd_per_hour:g} USD an hour",
                f"batch of {counted(terms.batch_size, 'sequence')}",
                f"decoding in {terms.decode_precision}",
            ]
        )

    @property
    def _tokens(self) -> str:
        tokens = self.settings.training_tokens
        return f"{format_count(tokens)} tokens" if tokens else f"{CHINCHILLA_TOKENS_PER_PARAM} tokens per parameter"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every quantity of the models; raises ValueError for a context_length beyond the max_seq_length of one."""
        loads = [Workload(pin.subject.account, self.terms) for pin in self.pins]
        rows = [costs(load.account, load.settings) for load in loads]
        return (*shape_lines(loads), *parameter_lines(loads), *map(_cost_line, zip(*rows, strict=True)))

    @property
    def are_equal(self) -> bool:
        """Whether all models agree in every quantity."""
        return all(line.equal for line in self.lines)

    def line(self, key: str) -> Line:
        """Return the values of one quantity."""
        return next(line for line in self.lines if line.key == key)

    @property
    def equal_lines(self) -> tuple[Line, ...]:
        """The quantities in which all models agree."""
        return tuple(line for line in self.lines if line.equal)


def longest_context(pins: Sequence[Pin]) -> int:
    """Return the longest sequence that every model supports."""
    return min(pin.architecture.max_seq_length for pin in pins)


def _cost_line(rows: tuple[Cost, ...]) -> Line:
    first = rows[0]
    return Line(
        quantity=first.quantity,
        group=first.group,
        values=tuple(row.value for row in rows),
        assumptions=tuple(row.assumptions for row in rows),
        source=first.source,
    )
