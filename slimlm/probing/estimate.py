"""Estimated memory, time and strategy of a probe on this machine."""

from dataclasses import dataclass
from typing import get_args

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture
from slimlm.model.device import PRECISION_BYTES, PRECISIONS, Precision, Strategy, device_name, free_memory, pick_device
from slimlm.model.streaming import slice_rows, together
from slimlm.probing.speed import TIMED_PASSES, machine_speed

BATCH = 2
MAX_TOKENS = 64
_PASSES = 2

_BLOCK_BYTES, _TENSOR_BYTES = 41_000, 1_200  # Python objects of a block and of each of its parameters, measured
_FLOAT = 4  # logit checks are accumulated in float32


@dataclass(frozen=True)
class ProbeEstimate:
    """Estimated cost of a probe; times in seconds, memory in bytes."""

    weight_bytes: int
    """Weights that are in memory at once: all, those of one block, or a slice of a matrix."""
    activation_bytes: int
    """Activations and logits of the forward passes."""
    free_bytes: int
    """Memory that is free now, or the given limit if that is less."""
    initialise_seconds: float
    run_seconds: float
    device: str = "cpu"
    """Readable name of the device."""
    strategy: Strategy = "whole"
    """The fastest strategy that fits in memory, else the most frugal."""
    module_bytes: int = 0
    """Python objects of the modules that exist at once: those of all layers, or of one block."""
    build_seconds: float = 0.0
    """Time to create the modules and to allocate their weights."""
    run_cost: float = 1.0
    """Time of both passes through a weight of a matrix, in times that its initialisation takes."""

    @property
    def memory_bytes(self) -> int:
        """Peak memory beyond what the process holds already."""
        return self.weight_bytes + self.activation_bytes + self.module_bytes

    @property
    def seconds(self) -> float:
        """Time to build the model, initialise its weights and run it."""
        return self.build_seconds + self.initialise_seconds + self.run_seconds

    @property
    def build_share(self) -> float:
        """Share of the time before the weights are initialised."""
        return self.build_seconds / self.seconds

    @property
    def run_share(self) -> float:
        """Share of the time after the weights are initialised."""
        return self.run_seconds / self.seconds

    @property
    def fits(self) -> bool:
        """Whether it fits, with a tenth of the free memory left over."""
        return self.memory_bytes <= 0.9 * self.free_bytes

    @property
    def is_light(self) -> bool:
        """Whether it can start without confirmation: at most two seconds, and well within the free memory."""
        return self.strategy == "whole" and self.seconds <= 2.0 and self.memory_bytes <= 0.4 * self.free_bytes


def estimate_probe(
    architecture: Architecture,
    *,
    dtype: Precision = "float32",
    device: str | None = None,
    max_memory: int | None = None,
    timed: bool = False,
) -> ProbeEstimate:
    """Estimate the cost of `slimlm.probe` with the same arguments, from measured speed and the memory that is free now.

    Nothing is built. Raises ValueError for an unknown dtype or device.
    """
    check_precision(dtype)
    place, accounted = pick_device(device), account(architecture)
    total = accounted.total_params
    free = free_memory(place) if max_memory is None else min(max_memory, free_memory(place))
    tokens, size = BATCH * min(MAX_TOKENS, architecture.max_seq_length), PRECISION_BYTES[dtype]
    head = architecture.vocab_size * architecture.d_model
    blocks = sum(component.active_params for component in accounted.components if component.per_layer)
    again = (architecture.n_loops - 1) * blocks
    multiplied = accounted.active_params + again + (head if architecture.tied_lm_head else 0)
    speed = machine_speed(place, dtype)
    alone = not together(min(MAX_TOKENS, architecture.max_seq_length))
    for strategy in get_args(Strategy):
        passes = _PASSES + (TIMED_PASSES if timed and strategy == "whole" else 0)
        modules = architecture.n_layers if strategy == "whole" else 1
        estimate = ProbeEstimate(
            weight_bytes=size * _weights_in_memory(architecture, strategy),
            activation_bytes=_activations(architecture, tokens, strategy, size),
            module_bytes=modules * _module_bytes(architecture),
            free_bytes=free,
            build_seconds=modules * speed.per_layer_build,
            initialise_seconds=total * speed.per_weight * (_PASSES if alone and strategy == "slice by slice" else 1),
            run_seconds=passes
            * (2 * multiplied * tokens * speed.per_flop + architecture.layers_run * speed.per_layer_run / 2),
            device=device_name(place),
            strategy=strategy,
            run_cost=_PASSES * 2 * tokens * speed.per_flop / speed.per_weight,
        )
        if estimate.fits:
            break
    return estimate


def check_precision(dtype: str) -> None:
    """Raise ValueError for a dtype that a probe does not support."""
    if dtype not in PRECISIONS:
        raise ValueError(f"dtype={dtype!r} must be {' or '.join(PRECISIONS)}")


def _module_bytes(architecture: Architecture) -> int:
    """Return the bytes of a block's Python objects."""
    names = (name for component in account(architecture).components for name in component.shapes)
    return _BLOCK_BYTES + _TENSOR_BYTES * sum(name.startswith("blocks.") for name in names)


def _weights_in_memory(architecture: Architecture, strategy: Strategy) -> int:
    """Return the number of weights that are in memory at once."""
    accounted = account(architecture)
    if strategy == "whole":
        return accounted.total_params
    slice_params = slice_rows(architecture.vocab_size, architecture.d_model) * architecture.d_model
    return max(accounted.layer_params if strategy == "block by block" else _slice_of_block(accounted), slice_params)


def _slice_of_block(accounted: Account) -> int:
    """Return the number of weights of a block that are in memory at once: a slice of a matrix, or an expert."""
    shapes = [
        shape
        for component in accounted.components
        for name, shape in component.shapes.items()
        if name.startswith("blocks.") and len(shape) > 1
    ]
    matrices = [slice_rows(*shape) * shape[1] for shape in shapes if len(shape) == 2]
    return max(*matrices, sum(shape[1] * shape[2] for shape in shapes if len(shape) == 3))


def _vocabulary(architecture: Architecture, strategy: Strategy) -> int:
    """Return the number of tokens whose logits are in memory at once."""
    vocab_size = architecture.vocab_size
    return vocab_size if strategy == "whole" else slice_rows(vocab_size, architecture.d_model)


def _activations(architecture: Architecture, tokens: int, strategy: Strategy, size: int) -> int:
    """Return the bytes of both passes' logits, of the logit checks, and of the activations in a block.

    Slice by slice both passes are in a block at once.
    """
    width, vocabulary = architecture.d_ff, _vocabulary(architecture, strategy)
    if architecture.is_mixture:
        width = max(architecture.experts_per_token * (width + architecture.d_model), architecture.dense_width)
    block = (8 * architecture.d_model + 3 * width) * (_PASSES if strategy == "slice by slice" else 1)
    return tokens * (vocabulary * (2 * size + 2 * _FLOAT) + block * size)
