"""Settings of costs: training, decoding and hardware."""

from dataclasses import dataclass

from slimlm.core.architecture import Architecture
from slimlm.costs.activations import Recompute
from slimlm.costs.hardware import ACCELERATORS, Accelerator
from slimlm.costs.laws import chinchilla_tokens
from slimlm.costs.memory import Precision, TrainingPrecision
from slimlm.utils.validation import check_fields, choice, real, whole


@dataclass(frozen=True, kw_only=True)
class CostSettings:
    """Settings of training and decoding, and the hardware.

    Raises ValueError for a field outside its limits.
    """

    context_length: int | None = whole(None, 1, 100_000_000)
    """Tokens in a sequence, in training and decoding; None means the model's max_seq_length."""

    training_tokens: int | None = whole(None, 1, 10**18)
    """Tokens to train on; None means 20 per parameter."""

    training_precision: TrainingPrecision = choice("mixed", "mixed_fp32_gradients", "fp32", "bf16")
    """Precision of weights, gradients and AdamW states in training."""

    batch_size: int = whole(8, 1, 1_000_000)
    """Sequences per accelerator in one training step."""

    recompute: Recompute = choice("selective", "none", "full")
    """Activations that the backward pass recomputes: attention scores, none, or all except each block's input."""

    accelerator: str = choice("h100", *(key for key in ACCELERATORS if key != "h100"))
    """The chip for training and decoding."""

    accelerators: int = whole(1, 1, 1_000_000)
    """Number of accelerators in training."""

    utilisation: float = real(0.4, 0.001, 1.0)
    """Share of the peak reached in training (model FLOPs utilisation). 0.4 is an assumption: Llama 3 405B reached 0.38
    to 0.43 (Grattafiori et al. 2024, arXiv 2407.21783, Table 4); small models often reach less."""

    usd_per_hour: float = real(2.0, 0.0, 100_000.0)
    """Price of one accelerator per hour. 2 is an assumption and not a quote: enter your own."""

    decode_precision: Precision = choice("bf16", "fp32", "int8", "int4")
    """Precision of the weights in decoding."""

    cache_precision: Precision = choice("bf16", "fp32", "int8", "int4")
    """Precision of the KV cache."""

    group_size: int | None = whole(None, 1, 1_000_000)
    """Quantised weights that share a 16-bit scale; None counts no scales."""

    decode_batch: int = whole(1, 1, 1_000_000)
    """Sequences decoded in one batch."""

    def __post_init__(self) -> None:
        check_fields(self)

    def context_of(self, architecture: Architecture) -> int:
        """Return the tokens of a sequence; raises ValueError beyond the model's max_seq_length."""
        longest = architecture.max_seq_length
        if self.context_length is not None and self.context_length > longest:
            raise ValueError(
                f"context_length={self.context_length} is not allowed: the model takes max_seq_length={longest} tokens "
                f"at most; context_length={longest} would work"
            )
        return self.context_length or longest

    def tokens_of(self, params: int) -> int:
        """Return the tokens to train a model of `params` parameters on."""
        return self.training_tokens or chinchilla_tokens(params)

    @property
    def chip(self) -> Accelerator:
        """The accelerator with its datasheet figures."""
        return ACCELERATORS[self.accelerator]
