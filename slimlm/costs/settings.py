"""Settings of costs: training, decoding and hardware."""

from dataclasses import dataclass

from slimlm.core.architecture import Architecture
from slimlm.core.precision import Precision
from slimlm.costs.activations import Recompute
from slimlm.costs.hardware import ACCELERATORS, Accelerator
from slimlm.costs.laws import chinchilla_tokens
from slimlm.costs.memory import TrainingPrecision
from slimlm.utils.validation import check_fields, choice, documented, real, whole


@dataclass(frozen=True, kw_only=True)
class CostSettings:
    """Settings of training and decoding, and the hardware.

    Raises ValueError for a field outside its limits.
    """

    context_length: int | None = documented(
        "Tokens in a sequence, in training and decoding; None means the model's max_seq_length.",
        whole(None, 1, 100_000_000),
    )

    training_tokens: int | None = documented("Tokens to train on; None means 20 per parameter.", whole(None, 1, 10**18))

    training_precision: TrainingPrecision = documented(
        "Precision of weights, gradients and AdamW states in training.",
        choice("mixed", "mixed_fp32_gradients", "fp32", "bf16"),
    )

    batch_size: int = documented("Sequences per accelerator in one training step.", whole(8, 1, 1_000_000))

    recompute: Recompute = documented(
        "Activations that the backward pass recomputes: attention scores, none, or all except each block's input.",
        choice("selective", "none", "full"),
    )

    accelerator: str = documented(
        "The chip for training and decoding.",
        choice("h100", *(key for key in ACCELERATORS if key != "h100")),
    )

    accelerators: int = documented("Number of accelerators in training.", whole(1, 1, 1_000_000))

    utilisation: float = documented(
        "Share of the peak reached in training (model FLOPs utilisation). 0.4 is an assumption: Llama 3 405B reached "
        "0.38 to 0.43 (Grattafiori et al. 2024, arXiv 2407.21783, Table 4); small models often reach less.",
        real(0.4, 0.001, 1.0),
    )

    usd_per_hour: float = documented(
        "Price of one accelerator per hour. 2 is an assumption and not a quote: enter your own.",
        real(2.0, 0.0, 100_000.0),
    )

    decode_precision: Precision = documented(
        "Precision of the weights in decoding.",
        choice("bf16", "fp32", "int8", "int4"),
    )

    cache_precision: Precision = documented("Precision of the KV cache.", choice("bf16", "fp32", "int8", "int4"))

    group_size: int | None = documented(
        "Quantised weights that share a 16-bit scale; None counts no scales.",
        whole(None, 1, 1_000_000),
    )

    decode_batch: int = documented("Sequences decoded in one batch.", whole(1, 1, 1_000_000))

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
