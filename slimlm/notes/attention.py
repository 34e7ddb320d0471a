"""Design notes on attention heads, the KV cache and positions."""

from dataclasses import replace
from statistics import median

from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import FULL, WINDOWED
from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.core.published import all_published, published_models
from slimlm.costs.memory import kv_cache_bytes, kv_cache_bytes_per_token
from slimlm.notes.note import (
    AINSLIE,
    FLASH,
    GEMMA,
    KAZEMNEJAD,
    PUBLISHED,
    ROPE,
    VASWANI_POSITIONS,
    XIONG,
    Note,
    Severity,
    format_number,
)
from slimlm.utils.formatting import format_bytes, format_count, format_share


def head_dim(design: Design) -> Note | None:
    """Point out a head_dim that FlashAttention does not support or has to pad."""
    arch = design.architecture
    width, padded = arch.query_width, -(-arch.query_width // 8) * 8
    name = "query width (head_dim + qk_rope_head_dim)" if arch.has_latents else "head_dim"
    severity, source = Severity.WARNING, FLASH
    if width > 256:
        why = "above the 256 that FlashAttention supports"
    elif width % 8:
        more = format_share(padded / width - 1)
        why = f"not a multiple of 8: FlashAttention pads it to {padded} and computes {more} more"
        if width % 2 and arch.positions == "learned":
            why, source = f"odd, which rules out RoPE, and {why}", f"{FLASH}; {ROPE}"
        else:
            severity = Severity.ADVICE
    elif width < 32:
        severity, source = Severity.INFO, PUBLISHED
        why = "below the 32 to 256 of the published models in slimlm, TinyStories excepted"
    else:
        return None
    return Note("head_dim", severity, f"A {name} of {width:,} is {why}.", f"{name} {width:,}", source)


def attention_width(design: Design) -> Note | None:
    """Name published models whose attention is wider or narrower than d_model."""
    arch, models = design.architecture, published_models()
    ratio = _attention_ratio(arch)
    if ratio == 1:
        return None
    unlike = sorted((other, model.name) for model in models if (other := _attention_ratio(model.architecture)) != 1)
    ends = " to ".join(f"{format_number(other)} times ({name})" for other, name in (unlike[0], unlike[-1]))
    width = arch.n_heads * arch.head_width
    text = (
        f"Attention is {width:,} wide (n_heads · head_dim), {format_number(ratio)} times d_model {arch.d_model:,}: "
        f"it is equal to d_model in {len(models) - len(unlike)} of the {len(models)} published dense models in "
        f"slimlm, and in the others it is {ends}."
    )
    severity = Severity.INFO if unlike[0][0] <= ratio <= unlike[-1][0] else Severity.ADVICE
    return Note("attention_width", severity, text, f"{width:,}, d_model {arch.d_model:,}", PUBLISHED)


def _attention_ratio(arch: Architecture) -> float:
    return arch.n_heads * arch.head_width / arch.d_model


_GROUPED = "Ainslie and colleagues find the quality of GQA close to that of multi-head attention"


def kv_cache(design: Design) -> Note | None:
    """Give the KV cache that GQA saves; without GQA, point out a cache that is larger than the weights."""
    arch = design.architecture
    if arch.has_latents:  # whose cache is that of the latent
        return None
    if arch.kv_heads < arch.n_heads:
        return _shared_heads(arch)
    cache, weights = kv_cache_bytes(arch, arch.max_seq_length), 2 * design.total_params
    if arch.n_heads == 1 or cache <= weights:
        return None
    figure = f"{format_bytes(cache)} per sequence"
    text = (
        f"The KV cache takes {figure} of {arch.max_seq_length:,} tokens in 16 bits, more than the weights' "
        f"{format_bytes(weights)}: fewer KV heads (n_kv_heads) shrink it, and {_GROUPED}."
    )
    return Note("kv_cache", Severity.ADVICE, text, figure, AINSLIE)


def _shared_heads(arch: Architecture) -> Note:
    figure = f"{format_bytes(kv_cache_bytes_per_token(arch))} per token"
    heads, caveat = f"{arch.kv_heads} KV heads", ""
    if arch.kv_heads == 1:
        heads, caveat = "a single KV head", ", but a single KV head can lose some"
    text = (
        f"With {heads} for {arch.n_heads} query heads the KV cache takes {figure} in 16 bits instead "
        f"of {format_bytes(kv_cache_bytes_per_token(replace(arch, n_kv_heads=arch.n_heads)))}: {_GROUPED}{caveat}."
    )
    return Note("kv_cache", Severity.ADVICE if caveat else Severity.INFO, text, figure, AINSLIE)


def windows(design: Design) -> Note | None:
    """Give the KV cache that windows save, and point out a window that no sequence exceeds."""
    arch, windowed = design.architecture, design.architecture.n_windowed_layers
    if not windowed or arch.window is None:
        return None
    figure, length = f"window of {counted(arch.window, 'token')}", counted(arch.max_seq_length, "token")
    if arch.window >= arch.max_seq_length:
        text = f"A {figure} changes nothing: it holds the longest sequence, of {length}."
        return Note("windows", Severity.ADVICE, text, figure, "counted by slimlm")
    models = [model for model in all_published() if model.architecture.n_windowed_layers]
    saved, whole = (kv_cache_bytes(one, arch.max_seq_length) for one in (arch, _without_windows(arch)))
    text = (
        f"With a {figure} in {windowed:,} of {counted(arch.n_layers, 'layer')} the KV cache of {length} takes "
        f"{format_bytes(saved)} in 16 bits instead of {format_bytes(whole)}, and more where an engine reserves whole "
        f"pages: {len(models)} of the {len(all_published())} published models in slimlm have windows, and the "
        "report of Gemma 3 finds the perplexity hardly changed by five windowed layers for each full one."
    )
    return Note("windows", Severity.INFO, text, figure, f"{GEMMA}; {PUBLISHED}")


def _without_windows(arch: Architecture) -> Architecture:
    full = arch.layer_pattern.replace(WINDOWED, FULL)
    return replace(arch, window=None, layer_pattern=full, window_rope_theta=None)


def learned_positions(design: Design) -> Note | None:
    """Give the parameters and the context limit of learned positions."""
    positions = design.account["position_embedding"]
    if not positions.params:
        return None
    length = design.architecture.max_seq_length
    text = (
        f"Learned positions limit the context to {length:,} tokens, one row of the table each, and cost "
        f"{format_count(positions.params)} parameters ({format_share(positions.share)})."
    )
    severity = Severity.ADVICE if positions.share > 0.05 else Severity.INFO
    return Note("learned_positions", severity, text, f"{length:,} tokens", VASWANI_POSITIONS)


def no_positions(design: Design) -> Note | None:
    """Give the evidence on models without positions."""
    if design.architecture.positions != "none":
        return None
    models = all_published()
    alike = f"{sum(model.architecture.positions == 'none' for model in models)} of the {len(models)} published models"
    text = (
        "Without positions only the causal mask carries order: Kazemnejad and colleagues find that such models "
        "generalise to longer sequences better than RoPE and ALiBi on reasoning and mathematical tasks, but "
        f"{alike} in slimlm have no positions in any layer."
    )
    return Note("no_positions", Severity.ADVICE, text, alike, f"{KAZEMNEJAD}; {PUBLISHED}")


def rope_theta(design: Design) -> Note | None:
    """Point out a rope_theta that is small for the maximum sequence length."""
    arch = design.architecture
    # Gemma's models of 8,192 tokens keep 10,000; Xiong et al. find it too small for 32,768.
    if arch.positions != "rope" or arch.max_seq_length <= 8192 or arch.rope_theta > 10_000:
        return None
    longer = [
        model.architecture.rope_theta
        for model in published_models()
        if model.architecture.positions == "rope" and model.architecture.max_seq_length > 8192
    ]
    figure = f"{arch.rope_theta:,g} for {arch.max_seq_length:,} tokens"
    text = (
        f"A rope_theta of {figure} is small: Xiong and colleagues raise it from 10,000 to 500,000 for 32,768 tokens, "
        f"and the median of {len(longer)} published dense models with more than 8,192 is {median(longer):,.0f}."
    )
    return Note("rope_theta", Severity.ADVICE, text, figure, f"{XIONG}; {PUBLISHED}")
