"""What a model costs to train and to run: one row for each figure, with what it assumes and where it is from.

The figures are those of `slimlm.costs.compute`, `memory`, `activations`, `laws` and `hardware`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.costs.activations import RECOMPUTE, training_memory
from slimlm.costs.compute import forward_flops, six_n_flops_per_token, six_n_miss, training_flops_per_token
from slimlm.costs.hardware import decode_step, training_run
from slimlm.costs.laws import BESIROGLU, chinchilla_tokens
from slimlm.costs.memory import BITS, TRAINING_STATES, kv_cache_bytes, kv_cache_bytes_per_token, weight_bytes
from slimlm.costs.settings import CostSettings
from slimlm.utils.formatting import UNITS, Unit, format_size

CHOWDHERY = "Chowdhery et al. 2022, PaLM (arXiv 2204.02311), app. B"
DAO = "Dao 2023, FlashAttention-2 (arXiv 2307.08691), sec. 4.1"
HOFFMANN = "Hoffmann et al. 2022 (arXiv 2203.15556)"
KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361), sec. 2.1"
KORTHIKANTI = "Korthikanti et al. 2022 (arXiv 2205.05198), sec. 4.1 and 5"
WILLIAMS = "Williams et al. 2009, Roofline (Communications of the ACM 52/4)"

Group = Literal["Compute", "Memory", "Training memory", "Training", "Decoding"]


@dataclass(frozen=True)
class Cost:
    """One figure of a model."""

    group: Group
    key: str
    """Stable identifier."""
    name: str
    """What people call it."""
    value: float
    unit: Unit
    assumption: str
    """What it counts and leaves out."""
    source: str = ""
    """Paper and section, or datasheet; empty for plain arithmetic."""

    @property
    def text(self) -> str:
        """The value as people read it."""
        return UNITS[self.unit](self.value)


def costs(architecture: Architecture, settings: CostSettings | None = None) -> tuple[Cost, ...]:
    """List what a model costs; the rows are the same, in the same order, for every architecture and all settings.

    >>> rows = {row.key: row.text for row in costs(Architecture(d_model=216, d_ff=544, n_layers=12))}
    >>> rows["training_flops_per_token"], rows["kv_cache_bytes_per_token"], rows["chinchilla_tokens"]
    ('75.5 MFLOP', '10.4 kB', '200.9M')

    Raises ValueError for a context_length beyond the model's max_seq_length.
    """
    chosen = settings or CostSettings()
    groups = (_compute, _weights, _cache, _training_memory, _tokens, _training, _decoding)
    return tuple(row for rows in groups for row in rows(architecture, chosen))


def _compute(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    tokens = settings.context_of(arch)
    forward, context = forward_flops(arch, tokens), f"sequences of {tokens:,} tokens"
    yield Cost(
        "Compute",
        "forward_flops_per_token",
        "Forward pass, per token",
        forward.flops_per_token,
        "flops",
        f"2 for each weight of a matrix product, LM head included, and attention's full square; {context}",
        CHOWDHERY,
    )
    yield Cost(
        "Compute",
        "causal_forward_flops_per_token",
        "Forward pass with the causal half of attention, per token",
        forward.causal_flops_per_token,
        "flops",
        f"attention's lower triangle alone, which causal kernels compute; {context}",
        DAO,
    )
    yield Cost(
        "Compute",
        "training_flops_per_token",
        "Training, per token",
        training_flops_per_token(arch, tokens),
        "flops",
        f"3 forward passes with the full square; nothing recomputed; {context}",
        KAPLAN,
    )
    yield Cost(
        "Compute",
        "six_n_flops_per_token",
        "Training by the rule of thumb 6 · N, per token",
        six_n_flops_per_token(arch),
        "flops",
        "N is every parameter once, embeddings included",
        f"{HOFFMANN}, app. F",
    )
    relative = f"relative to the exact count; {context}"
    yield Cost("Compute", "six_n_miss", "Miss of 6 · N", six_n_miss(arch, tokens), "miss", relative)


def _weights(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    size = settings.group_size
    scales = f"a 16-bit scale for every {size:,} weights of a row" if size else "no scales counted"
    quantised = f"every matrix quantised, embeddings included; norms and biases in 16 bits; {scales}"
    for name, bits in BITS.items():
        held = weight_bytes(arch, name, size)
        assumption = "every parameter once" if bits > 8 else quantised
        yield Cost("Memory", f"weights_{name}_bytes", f"Weights in {name}", held, "bytes", assumption)


def _cache(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    tokens, batch, precision = settings.context_of(arch), settings.decode_batch, settings.cache_precision
    yield Cost(
        "Memory",
        "kv_cache_bytes_per_token",
        "KV cache, per token",
        kv_cache_bytes_per_token(arch, precision),
        "bytes",
        f"a key and a value in every layer, in {precision}",
    )
    held = kv_cache_bytes(arch, tokens, batch, precision)
    assumption = f"{_sequences(batch)} of {tokens:,} tokens, in {precision}"
    yield Cost("Memory", "kv_cache_bytes", "KV cache", held, "bytes", assumption)


def _training_memory(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    tokens, precision, chip = settings.context_of(arch), settings.training_precision, settings.chip
    memory = training_memory(arch, tokens, settings.batch_size, precision, settings.recompute)
    states, batch = TRAINING_STATES[precision], f"{_sequences(settings.batch_size)} of {tokens:,} tokens"
    yield Cost(
        "Training memory",
        "training_state_bytes",
        "Weights, gradients and optimiser",
        memory.state_bytes,
        "bytes",
        f"{states.bytes_per_param} bytes per parameter: {states.text}; not sharded",
        states.source,
    )
    yield Cost(
        "Training memory",
        "activation_bytes",
        "Activations",
        memory.block_bytes + memory.outer_bytes,
        "bytes",
        f"{batch}; norms and attention fused; {RECOMPUTE[settings.recompute]}",
        KORTHIKANTI,
    )
    yield Cost(
        "Training memory",
        "logits_bytes",
        "Logits and loss",
        memory.logits_bytes,
        "bytes",
        f"{batch}; the logits, and in fp32 their log-softmax and its gradient",
    )
    whole = "all of these at once; fragmentation and the framework not counted"
    yield Cost("Training memory", "training_memory_bytes", "Training memory", memory.total_bytes, "bytes", whole)
    yield Cost(
        "Training memory",
        "training_memory_share",
        "Training memory over the accelerator's",
        memory.total_bytes / chip.memory_bytes,
        "share",
        f"one {chip.name}",
        chip.source,
    )


def _tokens(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    params, tokens = count_total(arch), settings.tokens_of(arch)
    smallest, largest = (format_size(int(end)) for end in (BESIROGLU.smallest_params, BESIROGLU.largest_params))
    fitted = f"fitted to models of {smallest} to {largest} parameters and a vocabulary of 32k"
    fitted += ", so that this is extrapolated" if BESIROGLU.is_extrapolated(params) else ""
    yield Cost(
        "Training",
        "chinchilla_tokens",
        "Compute-optimal tokens, rule of thumb",
        chinchilla_tokens(params),
        "tokens",
        "20 for each parameter, embeddings included",
        f"{HOFFMANN}, Table 3",
    )
    yield Cost(
        "Training",
        "law_tokens",
        "Compute-optimal tokens, fitted law",
        BESIROGLU.optimum_of(params).tokens,
        "tokens",
        f"for them no other size of model has a lower predicted loss at the same compute; {fitted}",
        BESIROGLU.source,
    )
    default = "" if settings.training_tokens else ": 20 for each parameter"
    yield Cost("Training", "training_tokens", "Training tokens", tokens, "tokens", f"as set{default}")
    yield Cost(
        "Training",
        "loss_nats",
        "Predicted loss",
        BESIROGLU.loss_nats(params, tokens),
        "nats",
        f"per token of the law's own text and tokenizer; {fitted}",
        BESIROGLU.source,
    )


def _training(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    chip, count, price = settings.chip, settings.accelerators, settings.usd_per_hour
    flops = settings.tokens_of(arch) * training_flops_per_token(arch, settings.context_of(arch))
    run = training_run(
        flops, chip, utilisation=settings.utilisation, accelerators=count, usd_per_hour=settings.usd_per_hour
    )
    exact = "exact operations for each training token"
    yield Cost("Training", "training_flops", "Training compute", flops, "flops", exact)
    at = f"{100 * settings.utilisation:g} % of the bf16 peak; no restarts, no evaluation"
    chips = f"{count:,} × {chip.name}"
    yield Cost("Training", "training_seconds", "Training time", run.seconds, "seconds", f"{chips} at {at}", chip.source)
    paid = f"{run.accelerator_hours:,.1f} hours of {chip.name} at {price:g} USD, a price that is put in and not quoted"
    yield Cost("Training", "training_usd", "Training price", run.usd, "usd", paid)


def _decoding(arch: Architecture, settings: CostSettings) -> Iterator[Cost]:
    tokens, chip, batch = settings.context_of(arch), settings.chip, settings.decode_batch
    step = decode_step(
        arch,
        chip,
        tokens=tokens,
        sequences=batch,
        precision=settings.decode_precision,
        cache_precision=settings.cache_precision,
        group_size=settings.group_size,
    )
    terms = (
        f"{_sequences(batch)} with {tokens:,} tokens of context; weights in {settings.decode_precision}, cache in "
        f"{settings.cache_precision}"
    )
    yield Cost(
        "Decoding",
        "decode_read_bytes",
        "Read for one token of each sequence",
        step.read_bytes,
        "bytes",
        f"every weight once, but for tables in which a row is looked up, and the KV cache; {terms}",
    )
    yield Cost(
        "Decoding",
        "decode_tokens_per_second",
        "Decoding speed at most",
        step.tokens_per_second,
        "tokens_per_second",
        f"bound by {step.bound} at the peak of one {chip.name}; {terms}",
        f"{WILLIAMS}; {chip.source}",
    )


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count:,} sequences"
