"""What costs depend on besides the model: how it is trained and decoded, and on what."""

from dataclasses import dataclass

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.costs.activations import Recompute
from slimlm.costs.hardware import ACCELERATORS, Accelerator
from slimlm.costs.laws import chinchilla_tokens
from slimlm.costs.memory import Precision, TrainingPrecision
from slimlm.utils.validation import check_fields, choice, real, whole


@dataclass(frozen=True, kw_only=True)
class CostSettings:
    """What costs depend on besides the model.

    Raises ValueError, in one sentence, for a field outside its limits.
    """

    context_length: int | None = whole(None, 1, 100_000_000)
    """Tokens in a sequence, in training and in decoding; None is the model's max_seq_length."""

    training_tokens: int | None = whole(None, 1, 10**18)
    """Tokens to train on; None is 20 for each parameter."""

    training_precision: TrainingPrecision = choice("mixed", "mixed_fp32_gradients", "fp32", "bf16")
    """What training keeps in which precision; all use AdamW."""

    batch_size: int = whole(8, 1, 1_000_000)
    """Sequences that one accelerator trains on at a time."""

    recompute: Recompute = choice("selective", "none", "full")
    """Activations that the backward pass computes again: attention's scores, none, or all but each block's input."""

    accelerator: str = choice("h100", *(key for key in ACCELERATORS if key != "h100"))
    """The chip that trains and decodes."""

    accelerators: int = whole(1, 1, 1_000_000)
    """How many of them train."""

    utilisation: float = real(0.4, 0.001, 1.0)
    """Share of the peak that training reaches (model FLOPs utilisation). 0.4 is an assumption: Llama 3 405B reached
    0.38 to 0.43 (Grattafiori et al. 2024, arXiv 2407.21783, Table 4); small models often reach less."""

    usd_per_hour: float = real(2.0, 0.0, 100_000.0)
    """Price of one accelerator for an hour. 2 is an assumption and nobody's offer: put in your own."""

    decode_precision: Precision = choice("bf16", "fp32", "int8", "int4")
    """Precision of the weights in decoding."""

    cache_precision: Precision = choice("bf16", "fp32", "int8", "int4")
    """Precision of the KV cache."""

    group_size: int | None = whole(None, 1, 1_000_000)
    """Quantised weights that share a 16-bit scale; None counts no scales."""

    decode_batch: int = whole(1, 1, 1_000_000)
    """Sequences that are decoded at a time."""

    def __post_init__(self) -> None:
        check_fields(self)

    def context_of(self, architecture: Architecture) -> int:
        """Return the tokens of a sequence; raises ValueError when they are more than the model takes."""
        longest = architecture.max_seq_length
        if self.context_length is not None and self.context_length > longest:
            raise ValueError(
                f"context_length={self.context_length} is not allowed: the model takes max_seq_length={longest} tokens "
                f"at most; context_length={longest} would work"
            )
        return self.context_length or longest

    def tokens_of(self, architecture: Architecture) -> int:
        """Return the tokens to train on."""
        return self.training_tokens or chinchilla_tokens(count_total(architecture))

    @property
    def chip(self) -> Accelerator:
        """The accelerator with its figures."""
        return ACCELERATORS[self.accelerator]
