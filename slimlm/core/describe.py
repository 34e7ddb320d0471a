"""Short text descriptions of an architecture."""

from typing import Protocol

from slimlm.core.accounting import Account
from slimlm.core.architecture import Architecture, Choices
from slimlm.core.attention_choices import UNROTATED, WINDOWED
from slimlm.core.names import OPTION_NAMES
from slimlm.utils.formatting import format_count

_USUAL_THETA = 10_000.0


def structure_words(choices: Choices) -> list[str]:
    """Return the names of all choices that are not at slimlm's default.

    >>> from slimlm.core.architecture import Architecture
    >>> structure_words(Architecture(d_model=576, d_ff=1536, n_layers=30, n_heads=9, n_kv_heads=3, positions="rope"))
    ['3 KV heads', 'RoPE']
    """
    words = [
        "auto heads" if choices.n_heads == "auto" else "",
        _kv_heads(choices),
        _latents(choices),
        _head_dim(choices),
        _phrase(choices, "norm"),
        _positions(choices),
        _phrase(choices, "ffn"),
        *expert_words(choices),
        _phrase(choices, "bias"),
        _phrase(choices, "qk_norm"),
        _phrase(choices, "block"),
        "LM-head bias" if choices.lm_head_bias else "",
        "embedding norm" if choices.embedding_norm else "",
        f"layers used {times(choices.n_loops)}" if choices.n_loops > 1 else "",
        *_layer_words(choices),
        *_factor_words(choices),
    ]
    return [word for word in words if word]


def _phrase(choices: Choices, field: str) -> str:
    """Return the name of the option chosen for a field; empty for the default."""
    names, chosen = OPTION_NAMES[field], getattr(choices, field)
    return "" if chosen == next(iter(names)) else names[chosen].phrase


def expert_words(choices: Choices) -> list[str]:
    """Return the words for the experts of a mixture; none for a dense model.

    >>> expert_words(Choices(n_experts=64, experts_per_token=6, n_shared_experts=2, n_dense_layers=1))
    ['64 experts (6 per token)', '2 shared experts', '1 dense layer']
    """
    if not choices.is_mixture:
        return []
    scale = "" if choices.routed_scale == 1 else f"routed experts × {choices.routed_scale:g}"
    groups = f"{choices.groups_per_token:,} of {choices.n_expert_groups:,} expert groups"
    words = [
        f"{counted(choices.n_experts, 'expert')} ({choices.experts_per_token:,} per token)",
        _shared_experts(choices),
        counted(choices.n_dense_layers, "dense layer") if choices.n_dense_layers else "",
        _phrase(choices, "router"),
        "" if choices.normalise_router else "router not normalised",
        groups if choices.n_expert_groups > 1 else "",
        scale,
    ]
    return [word for word in words if word]


def _shared_experts(choices: Choices) -> str:
    if not choices.n_shared_experts:
        return ""
    width = f" of {choices.d_shared:,}" if choices.d_shared else ""
    gate = " with a gate" if choices.shared_expert_gate else ""
    return f"{counted(choices.n_shared_experts, 'shared expert')}{width}{gate}"


def _latents(choices: Choices) -> str:
    if choices.kv_lora_rank is None:
        return ""
    queries = f", queries {choices.q_lora_rank:,}" if choices.q_lora_rank else ""
    return f"latent attention (KV {choices.kv_lora_rank:,}{queries})"


def _kv_heads(choices: Choices) -> str:
    grouped = _grouped(choices)
    return counted(grouped, "KV head") if grouped else ""


def _grouped(choices: Choices) -> int | None:
    """Return the number of KV heads if it differs from the number of query heads."""
    return None if choices.n_kv_heads == choices.n_heads else choices.n_kv_heads


def _head_dim(choices: Choices) -> str:
    """Return the head_dim of a request, or that of an architecture whose heads do not add up to d_model."""
    width, d_model = choices.head_dim, getattr(choices, "d_model", None)
    if width is None or (choices.n_heads != "auto" and choices.n_heads * width == d_model):
        return ""
    return f"head_dim {'near ' if choices.n_heads == 'auto' else ''}{width:,}"


def _positions(choices: Choices) -> str:
    if choices.positions == "learned":
        return counted(choices.position_offset, "more position row") if choices.position_offset else ""
    turned = choices.positions == "rope" and choices.rope_theta != _USUAL_THETA
    return _phrase(choices, "positions") + (f" θ {_number(choices.rope_theta)}" if turned else "")


def _layer_words(choices: Choices) -> list[str]:
    """Return what layers attend to, and what of their heads is rotated.

    >>> _layer_words(Choices(window=512, layer_pattern="wwwwwf", positions="rope", rotary_share=0.25))
    ['5 of 6 layers attend to 512 tokens', 'RoPE on 25 % of each head']
    """
    pattern, theta = choices.layer_pattern, choices.window_rope_theta
    words = [
        f"{_part(pattern, WINDOWED)} attend to {counted(choices.window, 'token')}" if choices.window else "",
        f"{_part(pattern, UNROTATED)} without RoPE" if UNROTATED in pattern else "",
        f"RoPE θ {_number(theta)} in windows" if theta else "",
        f"RoPE on {100 * choices.rotary_share:.4g} % of each head" if choices.rotary_share != 1 else "",
    ]
    return [word for word in words if word]


def _part(pattern: str, kind: str) -> str:
    """Return the part of the layers that are of a kind: "5 of 6 layers", "all layers"."""
    count = pattern.count(kind)
    return "all layers" if count == len(pattern) else f"{count:,} of {len(pattern):,} layers"


def _factor_words(choices: Choices) -> list[str]:
    """Return the factors and caps.

    >>> _factor_words(Choices(logit_softcap=30.0, embedding_scale=48.0))
    ['logits capped at 30', 'embeddings × 48']
    """
    factors = {
        "attention scale": choices.attention_scale,
        "scores capped at": choices.attention_softcap,
        "logits capped at": choices.logit_softcap,
    }
    scales = {
        "embeddings": choices.embedding_scale,
        "residuals": choices.residual_scale,
        "logits": choices.logit_scale,
    }
    return [
        *(f"{name} {value:.4g}" for name, value in factors.items() if value is not None),
        *(f"{name} × {value:.4g}" for name, value in scales.items() if value != 1),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def heads_phrase(choices: Choices) -> str:
    """Return the number of heads, and that of KV heads if it differs.

    >>> heads_phrase(Choices(n_heads=12, n_kv_heads=4)), heads_phrase(Choices(n_heads="auto"))
    ('12 heads (4 KV)', 'auto heads')
    """
    grouped = _grouped(choices)
    heads = "auto heads" if choices.n_heads == "auto" else counted(choices.n_heads, "head")
    return f"{heads} ({grouped} KV)" if grouped else heads


def expansion_name(choices: Choices) -> str:
    """Return the name of d_ff / d_model; a plain feed-forward has no GLU."""
    return "GLU expansion" if choices.is_gated else "FFN expansion"


def choice_words(choices: Choices) -> list[str]:
    """Return the choices for a caption: LM head, sequence length and `structure_words`."""
    return [head_word(choices), length_words(choices), *structure_words(choices)]


def head_word(choices: Choices) -> str:
    """Return "tied" or "untied", for the LM head."""
    return "tied" if choices.tied_lm_head else "untied"


def length_words(choices: Choices) -> str:
    """Return the sequence length with its unit."""
    return f"{choices.max_seq_length:,} tokens"


class Counted(Protocol):
    """An account, of layers that are alike or differ."""

    @property
    def total_params(self) -> int:
        """All parameters."""
        ...

    @property
    def active_params(self) -> int:
        """Parameters that one token uses."""
        ...


def size_words(account: Counted) -> str:
    """Return the size of a model, rounded, and of a mixture what is active.

    >>> from slimlm.core.accounting import account
    >>> from slimlm.core.architecture import Architecture
    >>> size_words(account(Architecture(d_model=256, d_ff=512, n_layers=8, n_experts=16)))
    '56.70M (12.66M active)'
    """
    return f"{format_count(account.total_params)}{_active_words(account)}"


def params_words(account: Counted) -> str:
    """Return the same with a noun: "46.70B parameters (12.88B active)"."""
    return f"{format_count(account.total_params)} parameters{_active_words(account)}"


def _active_words(account: Counted) -> str:
    active = account.active_params
    return f" ({format_count(active)} active)" if active < account.total_params else ""


def ffn_words(account: Account) -> str:
    """Return the kind and the width of the feed-forward: "SwiGLU of 544", "8 experts (2 per token) of 544"."""
    arch = account.architecture
    kind = expert_words(arch)[0] if arch.is_mixture else OPTION_NAMES["ffn"][arch.ffn].phrase
    return f"{kind} of {arch.d_ff:,}"


def shape_line(account: Account) -> str:
    """Return the size and the shape of an architecture on one line.

    >>> from slimlm.core.accounting import account
    >>> from slimlm.core.architecture import Architecture
    >>> shape_line(account(Architecture(d_model=216, d_ff=544, n_layers=12)))
    '10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
    """
    arch = account.architecture
    joint = " × " if arch.n_loops == 1 else " · "
    return (
        f"{params_words(account)} · {layers_phrase(arch)}{joint}d_model "
        f"{arch.d_model:,} · d_ff {arch.d_ff:,} · {heads_phrase(arch)}"
    )


def layers_phrase(architecture: Architecture) -> str:
    """Return the number of layers, and how often they are used where that is more than once.

    >>> layers_phrase(Architecture(d_model=64, d_ff=64, n_layers=3, n_loops=3))
    '3 layers, used 3 times'
    """
    loops = architecture.n_loops
    return counted(architecture.n_layers, "layer") + (f", used {times(loops)}" if loops > 1 else "")


def shape_phrase(architecture: Architecture) -> str:
    """Return depth and width, and how often the layers are used where that is more than once.

    >>> [shape_phrase(Architecture(d_model=64, d_ff=64, n_layers=3, n_loops=loops)) for loops in (1, 2)]
    ['3 layers × 64', '3 layers × 64 (used twice)']
    """
    loops = architecture.n_loops
    shape = f"{counted(architecture.n_layers, 'layer')} × {architecture.d_model:,}"
    return f"{shape} (used {times(loops)})" if loops > 1 else shape


def times(number: int) -> str:
    """Write a number of repetitions: "twice", "3 times"."""
    return "twice" if number == 2 else counted(number, "time")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun in singular or plural.

    >>> counted(1, "layer"), counted(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
