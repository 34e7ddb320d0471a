"""Every quantity of costs: name, unit, formula, assumptions and source."""

from dataclasses import replace

from slimlm.costs.compute import six_n_flops_per_token
from slimlm.costs.laws import BESIROGLU, chinchilla_tokens
from slimlm.costs.memory import BITS, Precision, kv_cache_bytes, kv_cache_bytes_per_token, weight_bytes
from slimlm.costs.quantity import Quantity
from slimlm.utils.formatting import format_size

CHOWDHERY = "Chowdhery et al. 2022, PaLM (arXiv 2204.02311), app. B"
DAO = "Dao 2023, FlashAttention-2 (arXiv 2307.08691), sec. 4.1"
HOFFMANN = "Hoffmann et al. 2022 (arXiv 2203.15556)"
KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361), sec. 2.1"
KORTHIKANTI = "Korthikanti et al. 2022 (arXiv 2205.05198), sec. 4.1 and 5"
WILLIAMS = "Williams et al. 2009, Roofline (Communications of the ACM 52/4)"

_CONTEXT = "sequences of {context} tokens"
_REACH = (_CONTEXT, "{reach}")
_BATCH = "{batch} of {context} tokens"
_DECODING = (
    "{decode_batch} with {context} tokens of context",
    "weights in {decode_precision}, KV cache in {cache_precision}",
)
_FITTED = (
    f"fitted to models of {format_size(int(BESIROGLU.smallest_params))} to "
    f"{format_size(int(BESIROGLU.largest_params))} parameters and a vocabulary of 32k"
)

_COMPUTE = (
    Quantity(
        key="forward_flops_per_token",
        name="Forward FLOPs per token",
        unit="flops",
        of=lambda work: work.forward.flops_per_token,
        better="less",
        assumptions=("2 per weight of a matrix product, LM head included, and the full square of attention", *_REACH),
        source=CHOWDHERY,
    ),
    Quantity(
        key="causal_forward_flops_per_token",
        name="Forward FLOPs per token, causal attention",
        unit="flops",
        of=lambda work: work.forward.causal_flops_per_token,
        better="less",
        assumptions=("the lower triangle of attention alone, as causal kernels compute it", *_REACH),
        source=DAO,
    ),
    Quantity(
        key="training_flops_per_token",
        name="Training FLOPs per token",
        unit="flops",
        of=lambda work: work.forward.training_flops_per_token,
        better="less",
        assumptions=("3 forward passes with the full square of attention", "no recomputation", *_REACH),
        source=KAPLAN,
    ),
    Quantity(
        key="six_n_flops_per_token",
        name="Training FLOPs per token, estimated as 6 · N",
        unit="flops",
        of=lambda work: six_n_flops_per_token(work.account.total_params),
        assumptions=("N counts every parameter once, embeddings included",),
        source=f"{HOFFMANN}, app. F",
    ),
    Quantity(
        key="six_n_miss",
        name="Relative error of 6 · N",
        unit="miss",
        of=lambda work: six_n_flops_per_token(work.account.total_params) / work.forward.training_flops_per_token - 1,
        assumptions=("relative to the exact count", _CONTEXT),
    ),
)


def _weights(precision: Precision) -> Quantity:
    quantised = (
        "every matrix quantised, embeddings included",
        "norms and biases in 16 bits",
        "{scales}",
    )
    return Quantity(
        key=f"weights_{precision}_bytes",
        name=f"Weight memory in {precision}",
        unit="bytes",
        of=lambda work: weight_bytes(work.account, precision, work.settings.group_size),
        better="less",
        assumptions=quantised if BITS[precision] <= 8 else ("every parameter once",),
    )


_MEMORY = (
    *map(_weights, BITS),
    Quantity(
        key="kv_cache_bytes_per_token",
        name="KV cache per token",
        unit="bytes",
        of=lambda work: kv_cache_bytes_per_token(work.account.architecture, work.settings.cache_precision),
        better="less",
        assumptions=("a key and a value in every layer", "{kept}", "in {cache_precision}"),
    ),
    Quantity(
        key="kv_cache_bytes",
        name="KV cache",
        unit="bytes",
        of=lambda work: kv_cache_bytes(
            work.account.architecture, work.context_length, work.settings.decode_batch, work.settings.cache_precision
        ),
        better="less",
        assumptions=("{decode_batch} of {context} tokens", "{kept}", "{pages}", "in {cache_precision}"),
    ),
)

_TRAINING_MEMORY = (
    Quantity(
        key="training_state_bytes",
        name="Weights, gradients and optimiser",
        unit="bytes",
        of=lambda work: work.memory.state_bytes,
        better="less",
        assumptions=("{state_bytes} bytes per parameter: {states}", "not sharded"),
        source="{states_source}",
    ),
    Quantity(
        key="activation_bytes",
        name="Activations",
        unit="bytes",
        of=lambda work: work.memory.block_bytes + work.memory.outer_bytes,
        better="less",
        assumptions=(_BATCH, "norms and attention fused", "{recompute}", "{reach}"),
        source=KORTHIKANTI,
    ),
    Quantity(
        key="logits_bytes",
        name="Logits and loss",
        unit="bytes",
        of=lambda work: work.memory.logits_bytes,
        better="less",
        assumptions=(_BATCH, "the logits, and in fp32 their log-softmax and its gradient", "{capped}"),
    ),
    Quantity(
        key="training_memory_bytes",
        name="Training memory",
        unit="bytes",
        of=lambda work: work.memory.total_bytes,
        better="less",
        assumptions=(
            "states, activations and logits together",
            "{state_bytes} bytes of states per parameter",
            _BATCH,
            "{recompute}",
            "fragmentation and the framework not counted",
        ),
    ),
    Quantity(
        key="training_memory_share",
        name="Training memory over accelerator memory",
        unit="share",
        of=lambda work: work.memory.total_bytes / work.settings.chip.memory_bytes,
        better="less",
        assumptions=("one {chip}",),
        source="{chip_source}",
    ),
)

_TRAINING = (
    Quantity(
        key="chinchilla_tokens",
        name="Compute-optimal tokens, rule of thumb",
        unit="tokens",
        of=lambda work: chinchilla_tokens(work.account.total_params),
        assumptions=("20 per parameter, embeddings included",),
        source=f"{HOFFMANN}, Table 3",
    ),
    Quantity(
        key="law_tokens",
        name="Compute-optimal tokens, fitted law",
        unit="tokens",
        of=lambda work: BESIROGLU.optimum_of(work.account.total_params).tokens,
        assumptions=("no other model size has a lower predicted loss at this compute", _FITTED, "{extrapolated}"),
        source=BESIROGLU.source,
    ),
    Quantity(
        key="training_tokens",
        name="Training tokens",
        unit="tokens",
        of=lambda work: work.training_tokens,
        assumptions=("{training_tokens}",),
    ),
    Quantity(
        key="loss_nats",
        name="Predicted loss",
        unit="nats",
        of=lambda work: BESIROGLU.loss_nats(work.account.total_params, work.training_tokens),
        better="less",
        assumptions=(
            "sees size and tokens alone, not the shape",
            "per token, for the law's text and tokenizer",
            _FITTED,
            "{extrapolated}",
        ),
        source=BESIROGLU.source,
    ),
    Quantity(
        key="training_flops",
        name="Training compute",
        unit="flops",
        of=lambda work: work.run.flops,
        better="less",
        assumptions=("exact training FLOPs per token × training tokens",),
    ),
    Quantity(
        key="training_seconds",
        name="Training time",
        unit="seconds",
        of=lambda work: work.run.seconds,
        better="less",
        assumptions=(
            "{accelerators} × {chip} at {utilisation} % of the bf16 peak",
            "restarts and evaluation not counted",
        ),
        source="{chip_source}",
    ),
    Quantity(
        key="training_usd",
        name="Training price",
        unit="usd",
        of=lambda work: work.run.usd,
        better="less",
        assumptions=("{hours} hours of {chip} at {usd_per_hour} USD, an assumed price and not a quote",),
    ),
)

_DECODE = (
    Quantity(
        key="decode_read_bytes",
        name="Memory read per decoding step",
        unit="bytes",
        of=lambda work: work.step.read_bytes,
        better="less",
        assumptions=(
            "one token per sequence",
            "every weight once except lookup tables",
            "the KV cache",
            "{kept}",
            *_DECODING,
        ),
    ),
    Quantity(
        key="decode_tokens_per_second",
        name="Upper bound of decoding speed",
        unit="tokens_per_second",
        of=lambda work: work.step.tokens_per_second,
        better="more",
        assumptions=("bound by {bound} at the peak of one {chip}", "{kept}", *_DECODING),
        source=f"{WILLIAMS}; {{chip_source}}",
    ),
)

_GROUPS = {
    "Compute": _COMPUTE,
    "Memory": _MEMORY,
    "Training memory": _TRAINING_MEMORY,
    "Training": _TRAINING,
    "Decoding": _DECODE,
}

COST_QUANTITIES = {
    quantity.key: replace(quantity, group=group) for group, members in _GROUPS.items() for quantity in members
}
"""Every quantity of costs by key, in table order."""
