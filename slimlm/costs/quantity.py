"""Quantities of a model: declared once with name, unit and explanation, then evaluated for a model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from slimlm.core.accounting import Account
from slimlm.core.architecture import Architecture
from slimlm.core.describe import counted
from slimlm.costs.activations import RECOMPUTE, TrainingMemory, training_memory
from slimlm.costs.compute import ForwardFlops, forward_flops
from slimlm.costs.hardware import DecodeStep, TrainingRun, decode_step, training_run
from slimlm.costs.laws import BESIROGLU
from slimlm.costs.memory import TRAINING_STATES, kv_cache_bytes_per_token
from slimlm.costs.settings import CostSettings
from slimlm.utils.formatting import SHORT_UNITS, UNITS, Unit, format_bytes


@dataclass(frozen=True)
class Workload:
    """A model and the settings under which it is trained and decoded.

    Raises ValueError, on first use, for a context_length beyond the model's max_seq_length.
    """

    account: Account
    settings: CostSettings

    @cached_property
    def context_length(self) -> int:
        """Tokens in a sequence."""
        return self.settings.context_of(self.account.architecture)

    @cached_property
    def training_tokens(self) -> int:
        """Tokens to train on."""
        return self.settings.tokens_of(self.account.total_params)

    @cached_property
    def forward(self) -> ForwardFlops:
        """Operations of a forward pass."""
        return forward_flops(self.account, self.context_length)

    @cached_property
    def memory(self) -> TrainingMemory:
        """Memory of training on one accelerator."""
        chosen = self.settings
        return training_memory(
            self.account, self.context_length, chosen.batch_size, chosen.training_precision, chosen.recompute
        )

    @cached_property
    def run(self) -> TrainingRun:
        """Time and price of training."""
        chosen = self.settings
        return training_run(
            self.training_tokens * self.forward.training_flops_per_token,
            chosen.chip,
            utilisation=chosen.utilisation,
            accelerators=chosen.accelerators,
            usd_per_hour=chosen.usd_per_hour,
        )

    @cached_property
    def step(self) -> DecodeStep:
        """One step of decoding."""
        chosen = self.settings
        return decode_step(
            self.account,
            chosen.chip,
            tokens=self.context_length,
            sequences=chosen.decode_batch,
            precision=chosen.decode_precision,
            cache_precision=chosen.cache_precision,
            group_size=chosen.group_size,
        )

    @cached_property
    def terms(self) -> dict[str, str]:
        """Values of the placeholders in assumptions and sources."""
        extrapolated = BESIROGLU.is_extrapolated(self.account.total_params)
        return (
            setting_terms(self.settings, f"{self.context_length:,}")
            | {
                "extrapolated": "extrapolated: the model is outside that range" if extrapolated else "",
                "bound": self.step.bound,
                "hours": f"{self.run.accelerator_hours:,.1f}",
            }
            | window_terms(self.account.architecture, self.settings, self.context_length)
        )


NO_WINDOWS = {"reach": "", "kept": "", "pages": "", "capped": ""}
"""Terms of a model without windows and caps."""


def setting_terms(settings: CostSettings, context: str) -> dict[str, str]:
    """Return the values of those placeholders that depend on the settings alone."""
    states, chip, size = TRAINING_STATES[settings.training_precision], settings.chip, settings.group_size
    return {
        "context": context,
        "batch": _sequences(settings.batch_size),
        "decode_batch": _sequences(settings.decode_batch),
        "decode_precision": settings.decode_precision,
        "cache_precision": settings.cache_precision,
        "scales": f"a 16-bit scale for every {size:,} weights of a row" if size else "no scales counted",
        "state_bytes": str(states.bytes_per_param),
        "states": states.text,
        "states_source": states.source,
        "recompute": RECOMPUTE[settings.recompute],
        "training_tokens": "as set" if settings.training_tokens else "default: 20 per parameter",
        "chip": chip.name,
        "chip_source": chip.source,
        "accelerators": f"{settings.accelerators:,}",
        "utilisation": f"{100 * settings.utilisation:g}",
        "usd_per_hour": f"{settings.usd_per_hour:g}",
    }


def window_terms(arch: Architecture, settings: CostSettings, tokens: int) -> dict[str, str]:
    """Return what assumptions say of a model's windows and of the cap of its logits; empty without them."""
    terms = dict(NO_WINDOWS)
    if arch.logit_softcap is not None:
        terms["capped"] = "the tanh of their cap"
    if not (windowed := arch.n_windowed_layers):
        return terms
    layers = f"{windowed:,} of {counted(arch.n_layers, 'layer')}"
    terms |= {
        "reach": f"{layers} attend to {arch.window:,} tokens at most",
        "kept": f"{layers} keep {arch.window:,} tokens at most",
    }
    if arch.cached_tokens(tokens) < arch.n_layers * tokens:
        whole = settings.decode_batch * tokens * kv_cache_bytes_per_token(arch, settings.cache_precision)
        terms["pages"] = f"engines that reserve pages for every token of every layer need {format_bytes(whole)}"
    return terms


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count:,} sequences"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A quantity of a model. Assumptions and source may hold placeholders in braces (`Workload.terms`)."""

    key: str
    """Stable identifier: in links, in CSV and on the command line."""
    name: str
    """Display name."""
    unit: Unit
    of: Callable[[Workload], float]
    """Evaluates it for a model under settings."""
    group: str = ""
    """Heading in tables."""
    better: Literal["less", "more"] | None = None
    """Which direction is better; None where neither is."""
    assumptions: tuple[str, ...] = ()
    """What it counts and what it leaves out, one statement each."""
    source: str = ""
    """Paper and section, or datasheet; empty for plain arithmetic."""

    def write(self, value: float) -> str:
        """Write a value with its unit."""
        return UNITS[self.unit](value)

    def write_short(self, value: float) -> str:
        """Write a value where space is short."""
        return SHORT_UNITS[self.unit](value)

    def assumptions_under(self, terms: dict[str, str]) -> tuple[str, ...]:
        """Fill in the assumptions; one that is empty is left out."""
        return tuple(filter(None, (text.format_map(terms) for text in self.assumptions)))

    def evaluate(self, workload: Workload) -> "Cost":
        """Evaluate the quantity for a model under settings."""
        terms = workload.terms
        return Cost(self, self.of(workload), self.assumptions_under(terms), self.source.format_map(terms))


@dataclass(frozen=True)
class Cost:
    """The value of a quantity for one model."""

    quantity: Quantity
    value: float
    assumptions: tuple[str, ...]
    """What it counts and what it leaves out, one statement each."""
    source: str = ""

    @property
    def group(self) -> str:
        """Heading in tables."""
        return self.quantity.group

    @property
    def key(self) -> str:
        """Stable identifier."""
        return self.quantity.key

    @property
    def name(self) -> str:
        """Display name."""
        return self.quantity.name

    @property
    def unit(self) -> Unit:
        """Unit of the value."""
        return self.quantity.unit

    @property
    def assumption(self) -> str:
        """All assumptions in one line."""
        return joined(self.assumptions)

    @property
    def text(self) -> str:
        """The value with its unit."""
        return self.quantity.write(self.value)


def joined(assumptions: Iterable[str]) -> str:
    """Write assumptions in one line."""
    return "; ".join(assumptions)
