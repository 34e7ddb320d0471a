"""Activation memory: tensors that the forward pass keeps for the backward pass.

Each tensor that a matrix product, norm, activation or attention needs in the backward pass counts once, in the training
precision. The method is that of Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer
Models", arXiv 2205.05198, section 4.1), extended to every structure. A GPT block gives their 34·s·b·h bytes; RMSNorm,
SwiGLU of g · d_model and grouped queries without dropout give s·b·h·(12 + 4·n_kv_heads/n_heads + 8·g) in 16 bits. Two
terms that they neglect are included: fp32 statistics of each norm and of each row of attention.

Norms and attention are fused, as on a GPU. slimlm's model on a CPU saves the same bytes in fp32, with three exceptions:
PyTorch's RMSNorm also keeps its normalised output (in bf16 two fp32 copies instead of the input: 6 · d_model more bytes
per token); dropout keeps factors in the model's precision instead of a byte mask; ALiBi keeps one table of
n_heads · T² biases, which FlashAttention computes. A cap on the scores is fused in FlashAttention, but not in slimlm's
model.
"""

from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import BLOCK_NORMS, Account
from slimlm.core.architecture import Architecture
from slimlm.costs.memory import TRAINING_STATES, TrainingPrecision, training_state_bytes
from slimlm.utils.validation import check_option, check_whole

Recompute = Literal["selective", "none", "full"]
RECOMPUTE: dict[Recompute, str] = {
    "selective": "attention scores are recomputed, as in FlashAttention",
    "none": "attention scores are kept",
    "full": "each block keeps only its input and is recomputed",
}
"""What the backward pass recomputes (Korthikanti et al. 2022, section 5)."""

_FP32 = 4


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Peak memory of one accelerator in bytes, at the start of the backward pass; nothing sharded."""

    state_bytes: int
    """Weights, gradients, master weights and moments."""
    block_bytes: int
    """Activations of the blocks; with full recomputation one block in full, the others their input."""
    outer_bytes: int
    """Activations of the embeddings and the final norm."""
    logits_bytes: int
    """Logits (with a cap, its tanh too), and in fp32 their log-softmax and its gradient."""

    @property
    def total_bytes(self) -> int:
        """Total; memory of the framework and fragmentation is not counted."""
        return self.state_bytes + self.block_bytes + self.outer_bytes + self.logits_bytes


def training_memory(
    account: Account,
    tokens: int,
    sequences: int = 1,
    precision: TrainingPrecision = "mixed",
    recompute: Recompute = "selective",
) -> TrainingMemory:
    """Return the memory of training on a batch of sequences of `tokens` tokens each.

    Raises ValueError for an unknown precision or recompute, or for tokens or sequences below 1.
    """
    check_whole(sequences=sequences)
    architecture, batch = account.architecture, sequences * tokens
    number = TRAINING_STATES[precision].activation_bytes
    kept = _blocks_bytes_per_token(architecture, tokens, precision, recompute)
    capped = number if architecture.logit_softcap else 0
    return TrainingMemory(
        state_bytes=training_state_bytes(account, precision),
        block_bytes=batch * kept,
        outer_bytes=batch * outer_bytes_per_token(architecture, precision),
        logits_bytes=batch * architecture.vocab_size * (number + capped + 2 * _FP32),
    )


def _blocks_bytes_per_token(arch: Architecture, tokens: int, precision: TrainingPrecision, recompute: Recompute) -> int:
    """Return what all blocks keep per token; with full recomputation the input of each, and the largest in full."""
    windowed = arch.n_windowed_layers
    full = block_bytes_per_token(arch, tokens, precision, recompute)
    of_kinds = [(arch.n_layers - windowed, full)]
    if windowed:
        reach = min(tokens, arch.window or tokens)
        of_kinds.append((windowed, block_bytes_per_token(arch, reach, precision, recompute)))
    if recompute != "full":
        return sum(layers * kept for layers, kept in of_kinds)
    # The recomputed block already counts its own input.
    inputs = (arch.n_layers - 1) * TRAINING_STATES[precision].activation_bytes * arch.d_model
    return inputs + max(kept for layers, kept in of_kinds if layers)


def block_bytes_per_token(
    architecture: Architecture, tokens: int, precision: TrainingPrecision = "mixed", recompute: Recompute = "selective"
) -> int:
    """Return what one block keeps per token of a sequence of `tokens` tokens, without recomputing the block.

    A windowed block keeps that of a sequence as long as its window.

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
    """Return what the embeddings and the final norm keep per token; token ids are not counted.

    Raises ValueError for an unknown precision.
    """
    check_option("precision", precision, TRAINING_STATES)
    norms, statistics = 1 + architecture.embedding_norm, _norm_statistics(architecture)
    # Each norm keeps its input, and the LM head the input of its product.
    numbers = (norms + 1) * architecture.d_model
    number = TRAINING_STATES[precision].activation_bytes
    return number * numbers + _mask_bytes(architecture) + _FP32 * norms * statistics


def _residual_numbers(arch: Architecture) -> int:
    """Count the residual stream and the tensors between it and attention or feed-forward.

    Attention and feed-forward, or the norms before them, each keep the stream; in parallel blocks they share it. A norm
    before them adds its output, which the projections keep; a norm after them adds its input.
    """
    streams = 1 if arch.block.startswith("parallel") else 2
    return (streams + len(BLOCK_NORMS[arch.block])) * arch.d_model


def _attention_numbers(arch: Architecture) -> int:
    """Count queries, keys, values and output; QK-norm keeps queries and keys before and after the norm."""
    queries, keys = arch.n_heads * arch.head_width, arch.kv_heads * arch.head_width
    return 2 * queries + 2 * keys + (queries + keys if arch.qk_norm != "none" else 0)


def _ffn_numbers(arch: Architecture) -> int:
    """Count the activation's input and output, and with a gate the other factor and the product.

    ReLU needs only its output, which the down projection keeps anyway; the square of ReLU² needs it besides.
    """
    if arch.is_gated:
        return 4 * arch.d_ff
    return arch.d_ff if arch.ffn == "relu" else 2 * arch.d_ff


def _mask_bytes(arch: Architecture) -> int:
    """Return the mask of one dropout on the residual stream: one byte per number."""
    return arch.d_model if arch.dropout else 0


def _scores_bytes(arch: Architecture, tokens: int, number: int) -> int:
    """Return the softmax of the scores, and with attention dropout its mask and output: 5·a·s in 16 bits."""
    return arch.n_heads * tokens * (number + (1 + number if arch.attention_dropout else 0))


def _norm_statistics(arch: Architecture) -> int:
    """Return the statistics that a norm keeps: mean and deviation for LayerNorm, the deviation for RMSNorm."""
    return 1 if arch.norm == "rmsnorm" else 2


def _statistics(arch: Architecture) -> int:
    """Count the statistics that the norms of a block keep per token."""
    heads = {"none": 0, "head": arch.n_heads + arch.kv_heads, "full": 2}[arch.qk_norm]
    return (len(BLOCK_NORMS[arch.block]) + heads) * _norm_statistics(arch)
