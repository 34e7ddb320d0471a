"""Ranking: what a study says, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slimlm.serialization.fields import Value
from slimlm.study.learning_rates import CellRate


@dataclass(frozen=True)
class CellResult:
    """What the study says of one cell. Losses are held-out bits per unit (byte or symbol): lower is better."""

    key: str
    label: str
    """Short name on charts: "0.25 · 2", or the name of a model."""
    x: Value | None
    y: Value | None
    d_model: int
    d_ff: int
    n_layers: int
    total_params: int
    embedding_ratio: float
    """Actual, not target."""
    glu_expansion: float
    tokens: int
    flops: int
    """Operations of one run."""
    seconds: float | None
    """Mean training time of a run; None before the first one."""
    rate: CellRate | None = field(repr=False)
    """Learning rate; None while it is being searched."""
    losses: tuple[float, ...]
    """By seed, of the runs that are over; infinite where a run diverged."""
    reason: str
    """Why the cell is not ranked: learning rate not bracketed, runs diverged or missing. Empty when it is ranked."""
    mean: float | None = None
    """Mean over the seeds; None when it is not ranked."""
    half_width: float | None = None
    """Half of the smallest significant difference: cells whose intervals mean ± half_width do not overlap differ, all
    pairs considered at once (Tukey)."""
    may_be_best: bool = False
    """Whether the cell cannot be told from the best one (multiple comparisons with the best)."""
    p_best: float | None = None
    """Probability of being the best, by parametric bootstrap."""
    ranks: tuple[int, int] | None = None
    """Lowest and highest rank that the simultaneous intervals allow, from 1."""

    @property
    def ranked(self) -> bool:
        """Whether the cell is compared with the others."""
        return not self.reason


@dataclass(frozen=True)
class Control:
    """One control and its outcome."""

    key: str
    """ "again", "bad", "second_recipe" or "second_horizon"."""
    name: str
    """ "A/A pair", "Bad cell", "Second recipe", "Second horizon"."""
    passed: bool | None
    """None while runs are missing, and where the outcome is a figure rather than a test."""
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranking:
    """What a study says so far."""

    unit: str
    """Unit of losses: "bits per byte" or "bits per symbol"."""
    cells: tuple[CellResult, ...]
    """In the order of the study."""
    verdict: str
    """The answer: one to three sentences."""
    remarks: tuple[str, ...]
    """What qualifies the answer: learning rates that are not bracketed, mixed devices or code versions, …"""
    controls: tuple[Control, ...]
    prediction: str
    """What was predicted, and whether it held."""
    runs_done: int
    runs_diverged: int
    runs_missing: int
    """Runs that are known to be needed still."""
    seeds: int
    """Runs of each cell that the study asks for."""
    pooled_sd: float | None = None
    degrees_of_freedom: int | None = None
    equal_variance_p: float | None = None
    """Of Bartlett's test: small when the cells do not share one variance."""
    least_difference: float | None = None
    """Smallest difference of two cells that is significant, all pairs considered at once."""
    agreement: float | None = None
    """Mean Kendall τ between the orders of two seeds."""
    tokens: int = 0
    flops: int = 0
    seconds: float = 0.0
    """Of all runs, searches and controls included."""
    devices: tuple[str, ...] = ()
    axes: tuple[str, str] = ("", "")
    """Fields of the two axes."""
    axis_names: tuple[str, str] = ("", "")
    """Their names inside a sentence: "embedding ratio"."""
    seeds_used: int = 0
    """Runs of each cell that is ranked: fewer than `seeds` while runs are missing; 0 before the first comparison."""
    mixed: tuple[str, ...] = ()
    """What the runs should have in common and do not: "devices", "precisions", "versions of torch"."""
    answer: str = ""
    """First clause of the verdict, without a capital and a full stop: which cells may be best, and how much worse the
    others are. Empty while nothing can be compared."""

    @property
    def complete(self) -> bool:
        """Whether no run is missing."""
        return self.runs_missing == 0

    @property
    def best(self) -> tuple[CellResult, ...]:
        """The cells that may be best, the lowest mean first."""
        found = [cell for cell in self.cells if cell.may_be_best and cell.mean is not None]
        return tuple(sorted(found, key=lambda cell: cell.mean or 0.0))
