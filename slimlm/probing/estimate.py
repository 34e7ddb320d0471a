"""What a probe will take on this machine, before it starts: its memory, its time, and which way it has to go."""

from dataclasses import dataclass
from typing import get_args

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model.device import PRECISION_BYTES, PRECISIONS, Precision, Way, device_name, free_memory, pick_device
from slimlm.model.streaming import SLICE, slice_rows
from slimlm.probing.speed import machine_speed

BATCH = 2
MAX_TOKENS = 64

_FLOAT = 4  # what is gathered from logits is gathered in float32


@dataclass(frozen=True)
class ProbeEstimate:
    """What a probe will take; times in seconds, memory in bytes."""

    weight_bytes: int
    """Weights that are in memory at once: all of them, one block's, or a slice of a matrix."""
    activation_bytes: int
    """What a forward pass holds beside them."""
    free_bytes: int
    """Memory that is free now, or the limit that was given where that is less."""
    draw_seconds: float
    run_seconds: float
    device: str = "cpu"
    """What people call the device."""
    way: Way = "whole"
    """The first way in which it fits, else the last one."""

    @property
    def memory_bytes(self) -> int:
        """Peak memory beyond what the process holds already."""
        return self.weight_bytes + self.activation_bytes

    @property
    def seconds(self) -> float:
        """Time to draw the weights and run the model."""
        return self.draw_seconds + self.run_seconds

    @property
    def draw_share(self) -> float:
        """Share of the time that drawing the weights takes."""
        return self.draw_seconds / self.seconds

    @property
    def fits(self) -> bool:
        """Whether it fits, with a tenth of the free memory to spare."""
        return self.memory_bytes <= 0.9 * self.free_bytes

    @property
    def is_light(self) -> bool:
        """Whether nobody needs to be asked first: about two seconds, and well within the free memory."""
        return self.way == "whole" and self.seconds <= 2.0 and self.memory_bytes <= 0.4 * self.free_bytes


def estimate_probe(
    architecture: Architecture,
    *,
    dtype: Precision = "float32",
    device: str | None = None,
    max_memory: int | None = None,
) -> ProbeEstimate:
    """Estimate what `slimlm.probe` with the same arguments takes: its speed is measured once, its free memory now.

    Raises ValueError for a dtype or a device that there is not.
    """
    check_precision(dtype)
    place, total = pick_device(device), account(architecture).total_params
    free = free_memory(place) if max_memory is None else min(max_memory, free_memory(place))
    tokens, size = BATCH * min(MAX_TOKENS, architecture.max_seq_length), PRECISION_BYTES[dtype]
    head = architecture.vocab_size * architecture.d_model
    multiplied = total + (head if architecture.tied_lm_head else 0)
    speed = machine_speed(place, dtype)
    run_seconds = 2 * 2 * multiplied * tokens * speed.per_flop + architecture.n_layers * speed.per_layer
    for way in get_args(Way):
        estimate = ProbeEstimate(
            weight_bytes=size * _held(architecture, way),
            activation_bytes=_activations(architecture, tokens, _vocabulary(architecture, way), size),
            free_bytes=free,
            draw_seconds=total * speed.per_weight * (BATCH if way == "slice by slice" else 1),
            run_seconds=run_seconds,
            device=device_name(place),
            way=way,
        )
        if estimate.fits:
            break
    return estimate


def check_precision(dtype: str) -> None:
    """Raise ValueError when a probe does not know this dtype."""
    if dtype not in PRECISIONS:
        raise ValueError(f"dtype={dtype!r} must be {' or '.join(PRECISIONS)}")


def _held(architecture: Architecture, way: Way) -> int:
    """Return how many weights are in memory at once."""
    accounted = account(architecture)
    if way == "whole":
        return accounted.total_params
    slice_params = slice_rows(architecture.vocab_size, architecture.d_model) * architecture.d_model
    return max(accounted.layer_params if way == "block by block" else SLICE, slice_params)


def _vocabulary(architecture: Architecture, way: Way) -> int:
    """Return how many tokens' logits are in memory at once."""
    vocab_size = architecture.vocab_size
    return vocab_size if way == "whole" else slice_rows(vocab_size, architecture.d_model)


def _activations(architecture: Architecture, tokens: int, vocabulary: int, size: int) -> int:
    """Return the bytes of both passes' logits, of what is gathered from them, and of the vectors in a block."""
    block = 8 * architecture.d_model + 3 * architecture.d_ff
    return tokens * (vocabulary * (2 * size + 2 * _FLOAT) + block * size)
