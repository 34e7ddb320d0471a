"""Memory of weights, KV cache and training states; activations are in `slimlm.costs.activations`."""

from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import Account, Component, Shape
from slimlm.core.architecture import Architecture
from slimlm.utils.validation import check_option, check_whole

Precision = Literal["fp32", "bf16", "int8", "int4"]
BITS: dict[Precision, int] = {"fp32": 32, "bf16": 16, "int8": 8, "int4": 4}
"""Bits per number."""

_SCALE_BYTES = 2
_VECTOR_BITS = 16


def weight_bytes(account: Account, precision: Precision, group_size: int | None = None) -> int:
    """Return the memory of all weights; a tied table counts once.

    With "int8" and "int4" every matrix is quantised, embedding tables included, each row padded to whole bytes; norms
    and biases stay in 16 bits. `group_size` is the number of weights in a row that share a 16-bit scale without a zero
    point (llama.cpp's Q8_0 and Q4_0 have groups of 32: 8.5 and 4.5 bits per weight); None counts no scales.

    Raises ValueError for an unknown precision, or a group_size that is not a whole number of at least 1.
    """
    return sum(component_bytes(component, precision, group_size) for component in account.components)


def component_bytes(component: Component, precision: Precision, group_size: int | None = None) -> int:
    """Return the memory of one component's weights; arguments as in `weight_bytes`."""
    check_option("precision", precision, BITS)
    if group_size is not None:
        check_whole(group_size=group_size)
    return component.copies * sum(_tensor_bytes(shape, precision, group_size) for shape in component.shapes.values())


def _tensor_bytes(shape: Shape, precision: Precision, group_size: int | None) -> int:
    *rows, columns = shape
    quantised = precision in ("int8", "int4")
    if not rows:
        return columns * (_VECTOR_BITS if quantised else BITS[precision]) // 8
    row_bytes = -(-columns * BITS[precision] // 8)
    if quantised and group_size is not None:
        row_bytes += _SCALE_BYTES * -(-columns // group_size)
    return rows[0] * row_bytes


def kv_cache_bytes_per_token(architecture: Architecture, precision: Precision = "bf16") -> int:
    """Return the cache of one token: a key and a value in every layer, 2 · n_layers · n_kv_heads · head_dim numbers.

    A windowed layer keeps it until the window has passed: see `kv_cache_bytes`.

    Grouped-query attention shrinks it (Shazeer 2019, arXiv 1911.02150; Ainslie et al. 2023, arXiv 2305.13245). Scales
    of a quantised cache and the padding of paged caches are not counted.

    Raises ValueError for an unknown precision.
    """
    check_option("precision", precision, BITS)
    return architecture.n_layers * _layer_bytes_per_token(architecture, precision)


def _layer_bytes_per_token(architecture: Architecture, precision: Precision) -> int:
    numbers = 2 * architecture.kv_heads * architecture.head_width
    return numbers * BITS[precision] // 8  # exact: `numbers` is even, so int4 fills whole bytes


def kv_cache_bytes(architecture: Architecture, tokens: int, sequences: int = 1, precision: Precision = "bf16") -> int:
    """Return the cache of a batch of sequences of `tokens` tokens each.

    Every layer caches every token, a windowed one only the last `window` of them: the least that an engine needs.
    Engines that reserve whole pages for every layer take the cache of the model without windows.

    Raises ValueError for an unknown precision, or tokens or sequences that are not whole numbers of at least 1.
    """
    check_whole(tokens=tokens, sequences=sequences)
    check_option("precision", precision, BITS)
    return sequences * architecture.cached_tokens(tokens) * _layer_bytes_per_token(architecture, precision)


TrainingPrecision = Literal["mixed", "mixed_fp32_gradients", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class StateSizes:
    """Bytes per parameter of the states of AdamW training, and bytes per number of an activation."""

    weight_bytes: int
    """Weights used in the forward and backward pass."""
    gradient_bytes: int
    master_bytes: int
    """The fp32 copy of the weights that the optimiser updates."""
    moment_bytes: int
    """Adam's running mean and variance of the gradient."""
    activation_bytes: int
    """One number of an activation."""
    text: str
    """Precisions, as display text."""
    source: str

    @property
    def bytes_per_param(self) -> int:
        """All states."""
        return self.weight_bytes + self.gradient_bytes + self.master_bytes + self.moment_bytes


TRAINING_STATES: dict[TrainingPrecision, StateSizes] = {
    "mixed": StateSizes(
        weight_bytes=2,
        gradient_bytes=2,
        master_bytes=4,
        moment_bytes=8,
        activation_bytes=2,
        text="16-bit weights and gradients; fp32 master weights and AdamW moments",
        source="Rajbhandari et al. 2020, ZeRO (arXiv 1910.02054), sec. 3.1",
    ),
    "mixed_fp32_gradients": StateSizes(
        weight_bytes=2,
        gradient_bytes=4,
        master_bytes=4,
        moment_bytes=8,
        activation_bytes=2,
        text="16-bit weights; fp32 gradients, master weights and AdamW moments",
        source="Megatron Core, user guide, distributed optimizer: float16 param, fp32 grads",
    ),
    "fp32": StateSizes(
        weight_bytes=4,
        gradient_bytes=4,
        master_bytes=0,
        moment_bytes=8,
        activation_bytes=4,
        text="weights, gradients and AdamW moments in fp32",
        source="Megatron Core, user guide, distributed optimizer: fp32 param, fp32 grads",
    ),
    "bf16": StateSizes(
        weight_bytes=2,
        gradient_bytes=2,
        master_bytes=0,
        moment_bytes=8,
        activation_bytes=2,
        text="weights and gradients in bf16 without a master copy; AdamW moments in fp32",
        source="sum of 2 + 2 + 4 + 4 bytes",
    ),
}
"""Training states per parameter, by precision, on one accelerator without sharding."""


def training_state_bytes(account: Account, precision: TrainingPrecision = "mixed") -> int:
    """Return the memory of weights, gradients and AdamW states, held at once and not sharded.

    Raises ValueError for an unknown precision.
    """
    check_option("precision", precision, TRAINING_STATES)
    return TRAINING_STATES[precision].bytes_per_param * account.total_params
