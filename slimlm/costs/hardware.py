"""Accelerators by their datasheets, with training time and a roofline bound of decoding."""

from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import Account
from slimlm.core.architecture import Architecture
from slimlm.core.precision import Precision
from slimlm.costs.compute import forward_flops
from slimlm.costs.memory import component_bytes, kv_cache_bytes
from slimlm.utils.validation import check_option, check_positive, check_whole


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One chip with the figures of its datasheet; GB and TB are decimal."""

    key: str
    name: str
    peak_flops_per_second: float
    """Dense bf16 peak: half of the value that NVIDIA's datasheets give with sparsity."""
    bandwidth_bytes_per_second: float
    memory_bytes: float
    source: str


_CHIPS = (
    Accelerator(
        key="a100",
        name="NVIDIA A100 80GB SXM",
        peak_flops_per_second=312e12,
        bandwidth_bytes_per_second=2039e9,
        memory_bytes=80e9,
        source="NVIDIA A100 datasheet: 312 TFLOPS (624 with sparsity), 80 GB, 2,039 GB/s",
    ),
    Accelerator(
        key="h100",
        name="NVIDIA H100 SXM",
        peak_flops_per_second=989.5e12,
        bandwidth_bytes_per_second=3.35e12,
        memory_bytes=80e9,
        source="NVIDIA H100 datasheet: 1,979 TFLOPS with sparsity, 80 GB, 3.35 TB/s",
    ),
    Accelerator(
        key="h200",
        name="NVIDIA H200 SXM",
        peak_flops_per_second=989.5e12,
        bandwidth_bytes_per_second=4.8e12,
        memory_bytes=141e9,
        source="NVIDIA H200 datasheet: 1,979 TFLOPS with sparsity, 141 GB, 4.8 TB/s",
    ),
    Accelerator(
        key="b200",
        name="NVIDIA B200 (HGX, DGX)",
        peak_flops_per_second=2.25e15,
        bandwidth_bytes_per_second=8e12,
        memory_bytes=180e9,
        source="NVIDIA HGX B200 and DGX B200 datasheets, an eighth: 36 PFLOPS with sparsity, 1,440 GB, 64 TB/s",
    ),
    Accelerator(
        key="l4",
        name="NVIDIA L4",
        peak_flops_per_second=121e12,
        bandwidth_bytes_per_second=300e9,
        memory_bytes=24e9,
        source="NVIDIA L4 datasheet: 242 TFLOPS with sparsity, 24 GB, 300 GB/s",
    ),
    Accelerator(
        key="rtx4090",
        name="NVIDIA GeForce RTX 4090",
        peak_flops_per_second=165.2e12,
        bandwidth_bytes_per_second=1008e9,
        memory_bytes=24e9,
        source="NVIDIA Ada GPU Architecture whitepaper, appendix A: 165.2 TFLOPS in bf16 with fp32 accumulation, "
        "24 GB, 1,008 GB/s",
    ),
    Accelerator(
        key="tpu_v5e",
        name="Google TPU v5e",
        peak_flops_per_second=197e12,
        bandwidth_bytes_per_second=819e9,
        memory_bytes=16e9,
        source="Google Cloud documentation, TPU v5e: 197 TFLOPs in bf16 per chip, 16 GB, 819 GB/s",
    ),
)

ACCELERATORS = {chip.key: chip for chip in _CHIPS}
"""Every accelerator by key."""


def accelerator(key: str) -> Accelerator:
    """Return the accelerator with this key; raises ValueError for an unknown key."""
    check_option("accelerator", key, ACCELERATORS)
    return ACCELERATORS[key]


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Compute, time and price of training."""

    flops: float
    seconds: float
    accelerator_hours: float
    """Summed over all accelerators."""
    usd: float


def training_run(
    flops: float, chip: Accelerator, *, utilisation: float, accelerators: int = 1, usd_per_hour: float = 0.0
) -> TrainingRun:
    """Return time and price of a number of operations at a given utilisation of the accelerators.

    `utilisation` is model FLOPs utilisation: operations of the model, without recomputation, over the peak
    (Chowdhery et al. 2022, PaLM, arXiv 2204.02311, section 4.1). Restarts, evaluation and idle time are not counted.
    `usd_per_hour` is the price of one accelerator.

    Raises ValueError for flops or accelerators that are not above 0, for a utilisation outside 0 to 1 and for a
    negative price.
    """
    check_positive(flops=flops, utilisation=utilisation)
    check_whole(accelerators=accelerators)
    if utilisation > 1:
        raise ValueError(f"utilisation={utilisation!r} is not allowed: it is a share of the peak; 0.4 would work")
    if not usd_per_hour >= 0:
        raise ValueError(f"usd_per_hour={usd_per_hour!r} is not allowed: it must not be negative; 0 would work")
    hours = flops / (chip.peak_flops_per_second * utilisation) / 3600
    return TrainingRun(
        flops=flops, seconds=3600 * hours / accelerators, accelerator_hours=hours, usd=hours * usd_per_hour
    )


@dataclass(frozen=True, kw_only=True)
class DecodeStep:
    """Roofline bound of one decoding step, which generates one token for every sequence of a batch.

    The bound is the slower of memory reads and compute, each at its peak and overlapped with the other (Williams et al.
    2009, "Roofline", Communications of the ACM 52/4). Real decoding is slower.
    """

    sequences: int
    read_bytes: int
    """Weights, read once for the batch, and the KV cache of every sequence."""
    flops: int
    memory_seconds: float
    compute_seconds: float

    @property
    def seconds(self) -> float:
        """Lower bound of the step's time."""
        return max(self.memory_seconds, self.compute_seconds)

    @property
    def bound(self) -> Literal["memory", "compute"]:
        """The limiting resource."""
        return "memory" if self.memory_seconds >= self.compute_seconds else "compute"

    @property
    def tokens_per_second(self) -> float:
        """Tokens per second, summed over all sequences."""
        return self.sequences / self.seconds


def decode_step(
    account: Account,
    chip: Accelerator,
    *,
    tokens: int,
    sequences: int = 1,
    precision: Precision = "bf16",
    cache_precision: Precision = "bf16",
    group_size: int | None = None,
) -> DecodeStep:
    """Bound the speed of decoding with a context of `tokens` tokens in each sequence.

    Every weight is read once per step, except lookup tables: the position table, and the token embedding unless it is
    also the LM head; those of blocks that are used n_loops times are read as often, since no cache holds a whole stack
    of blocks. Of routed experts those are read that some sequence of the batch uses (`experts_read`). Quantised weights
    compute in bf16. `group_size` is that of `slimlm.costs.memory.weight_bytes`.

    Raises ValueError for an unknown precision, or for tokens, sequences or group_size below 1.
    """
    cache_bytes = kv_cache_bytes(account.architecture, tokens, sequences, cache_precision)
    flops = sequences * forward_flops(account, tokens).flops_per_token
    read_bytes = _read_bytes(account, sequences, precision, group_size) + cache_bytes
    return DecodeStep(
        sequences=sequences,
        read_bytes=read_bytes,
        flops=flops,
        memory_seconds=read_bytes / chip.bandwidth_bytes_per_second,
        compute_seconds=flops / chip.peak_flops_per_second,
    )


def experts_read(architecture: Architecture, sequences: int) -> float:
    """Return the expected number of routed experts of a layer that a step of a batch uses: E · (1 − (1 − k/E)^B).

    Each of B sequences uses k of E experts, independently and uniformly, so that it leaves out a given expert with
    probability 1 − k/E. Real routing is less even, and uses fewer experts.

    >>> from slimlm.core.architecture import Architecture
    >>> experts_read(Architecture(d_model=8, d_ff=8, n_layers=1, n_heads=1, n_experts=8), 2)
    3.5
    """
    experts, used = architecture.n_experts, architecture.experts_per_token
    return experts * (1 - (1 - used / experts) ** sequences)


def _read_bytes(account: Account, sequences: int, precision: Precision, group_size: int | None) -> int:
    arch = account.architecture
    shares = {"position_embedding": 0.0, "token_embedding": float(arch.tied_lm_head)}
    if arch.is_mixture:
        shares["experts"] = experts_read(arch, sequences) / arch.n_experts
    sizes = {
        part.key: (arch.n_loops if part.per_layer else 1) * component_bytes(part, precision, group_size)
        for part in account.components
    }
    return sum(round(shares[key] * size) if key in shares else size for key, size in sizes.items())
