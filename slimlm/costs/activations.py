"""What the forward pass of training keeps for the backward pass: activations.

Every tensor that a product, a norm, an activation or attention needs again is counted once, in the numbers of the
precision that is trained in: the method of Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large
Transformer Models", arXiv 2205.05198, section 4.1), whose 34·s·b·h bytes for a GPT block it gives, here for every
structure. For RMSNorm, SwiGLU of g · d_model, grouped queries and no dropout it is s·b·h·(12 + 4·n_kv_heads/n_heads +
8·g) in 16 bits. Added are what they neglect: fp32 statistics of each norm, and of each row of attention.

Norms and attention are taken to be fused, as on a GPU. slimlm's own model on a CPU saves the same tensors, byte for
byte in fp32, except that: PyTorch's RMSNorm keeps its normalised output besides (in bf16 it keeps two fp32 copies
instead of the input: 6 · d_model more bytes a token); dropout keeps factors in the model's precision instead of a mask
of bytes; and ALiBi keeps one table of n_heads · T² biases, where FlashAttention computes them.
"""

from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import BLOCK_NORMS
from slimlm.core.architecture import Architecture
from slimlm.costs.memory import TRAINING_STATES, TrainingPrecision, training_state_bytes
from slimlm.utils.validation import check_option, check_whole

Recompute = Literal["selective", "none", "full"]
RECOMPUTE: dict[Recompute, str] = {
    "selective": "attention's scores are recomputed, as FlashAttention does",
    "none": "attention's scores are kept",
    "full": "each block keeps its input alone and is recomputed",
}
"""What the backward pass computes a second time (Korthikanti et al. 2022, section 5)."""

_FP32 = 4


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """What one accelerator holds at the start of a backward pass, when it holds the most, in bytes; nothing sharded."""

    state_bytes: int
    """Weights, gradients, master weights and moments."""
    block_bytes: int
    """Activations that the blocks keep; with full recomputation one of them at a time in full."""
    outer_bytes: int
    """Activations of embeddings and of the final norm."""
    logits_bytes: int
    """The logits, and in fp32 the logarithms of their softmax and their gradient."""

    @property
    def total_bytes(self) -> int:
        """All together; what the framework and fragmentation take is not counted."""
        return self.state_bytes + self.block_bytes + self.outer_bytes + self.logits_bytes


def training_memory(
    architecture: Architecture,
    tokens: int,
    sequences: int = 1,
    precision: TrainingPrecision = "mixed",
    recompute: Recompute = "selective",
) -> TrainingMemory:
    """Add up the memory of training on a batch of sequences of `tokens` tokens each.

    Raises ValueError for an unknown precision or recompute, or for tokens or sequences below 1.
    """
    check_whole(sequences=sequences)
    state_bytes, batch = training_state_bytes(architecture, precision), sequences * tokens
    number = TRAINING_STATES[precision].activation_bytes
    kept = block_bytes_per_token(architecture, tokens, precision, recompute)
    if recompute == "full":  # the input of the block that is recomputed is among what it keeps
        kept += (architecture.n_layers - 1) * number * architecture.d_model
    else:
        kept *= architecture.n_layers
    return TrainingMemory(
        state_bytes=state_bytes,
        block_bytes=batch * kept,
        outer_bytes=batch * outer_bytes_per_token(architecture, precision),
        logits_bytes=batch * architecture.vocab_size * (number + 2 * _FP32),
    )


def block_bytes_per_token(
    architecture: Architecture, tokens: int, precision: TrainingPrecision = "mixed", recompute: Recompute = "selective"
) -> int:
    """Return what one block keeps for a token of a sequence of `tokens` tokens, while it is not recomputed itself.

    Raises ValueError for an unknown precision or recompute, or for tokens below 1.
    """
    check_whole(tokens=tokens)
    check_option("precision", precision, TRAINING_STATES)
    check_option("recompute", recompute, RECOMPUTE)
    number = TRAINING_STATES[precision].activation_bytes
    numbers = _residual_numbers(architecture) + _attention_numbers(architecture) + _ffn_numbers(architecture)
    masks = 2 * _mask_bytes(architecture)
    scores = _scores_bytes(architecture, tokens, number) if recompute == "none" else _FP32 * architecture.n_heads
    return number * numbers + masks + scores + _FP32 * _statistics(architecture)


def outer_bytes_per_token(architecture: Architecture, precision: TrainingPrecision = "mixed") -> int:
    """Return what embeddings and the final norm keep for a token; ids of tokens are not counted.

    Raises ValueError for an unknown precision.
    """
    check_option("precision", precision, TRAINING_STATES)
    norms, statistics = 1 + architecture.embedding_norm, _norm_statistics(architecture)
    # The final norm keeps its input, and the LM head what it multiplies; a norm of the embeddings keeps its input.
    numbers = (norms + 1) * architecture.d_model
    number = TRAINING_STATES[precision].activation_bytes
    return number * numbers + _mask_bytes(architecture) + _FP32 * norms * statistics


def _residual_numbers(arch: Architecture) -> int:
    """Count what meets the residual stream: the stream itself and, for every norm, its other side.

    Attention and feed-forward, or the norms before them, keep the stream, and share it where they are side by side. A
    norm before them adds its output, which the projections keep, and one after them its input.
    """
    streams = 1 if arch.block.startswith("parallel") else 2
    return (streams + len(BLOCK_NORMS[arch.block])) * arch.d_model


def _attention_numbers(arch: Architecture) -> int:
    """Count queries, keys, values and output; norms of queries and keys keep these before and after."""
    queries, keys = arch.n_heads * arch.head_width, arch.kv_heads * arch.head_width
    return 2 * queries + 2 * keys + (queries + keys if arch.qk_norm != "none" else 0)


def _ffn_numbers(arch: Architecture) -> int:
    """Count the activation's input and output, and with a gate what it is multiplied with and the product.

    ReLU needs its output alone, which the down projection keeps anyway.
    """
    return {"swiglu": 4, "geglu": 4, "gelu": 2, "relu": 1}[arch.ffn] * arch.d_ff


def _mask_bytes(arch: Architecture) -> int:
    """Return the mask of one dropout on the residual stream: a byte a number."""
    return arch.d_model if arch.dropout else 0


def _scores_bytes(arch: Architecture, tokens: int, number: int) -> int:
    """Return the softmax of the scores, and with dropout on it the mask and its output: 5·a·s in 16 bits."""
    return arch.n_heads * tokens * (number + (1 + number if arch.attention_dropout else 0))


def _norm_statistics(arch: Architecture) -> int:
    """Return the numbers that a norm keeps of what it normalises: LayerNorm mean and deviation, RMSNorm the latter."""
    return 1 if arch.norm == "rmsnorm" else 2


def _statistics(arch: Architecture) -> int:
    """Count the numbers that the norms of a block keep of a token."""
    heads = {"none": 0, "head": arch.n_heads + arch.kv_heads, "full": 2}[arch.qk_norm]
    return (len(BLOCK_NORMS[arch.block]) + heads) * _norm_statistics(arch)
