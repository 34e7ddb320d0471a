"""Short text descriptions of an architecture."""

from slimlm.core.accounting import Account
from slimlm.core.architecture import Choices
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
        _head_dim(choices),
        _phrase(choices, "norm"),
        _positions(choices),
        _phrase(choices, "ffn"),
        _phrase(choices, "bias"),
        _phrase(choices, "qk_norm"),
        _phrase(choices, "block"),
        "LM-head bias" if choices.lm_head_bias else "",
        "embedding norm" if choices.embedding_norm else "",
        *_layer_words(choices),
        *_factor_words(choices),
    ]
    return [word for word in words if word]


def _phrase(choices: Choices, field: str) -> str:
    """Return the name of the option chosen for a field; empty for the default."""
    names, chosen = OPTION_NAMES[field], getattr(choices, field)
    return "" if chosen == next(iter(names)) else names[chosen].phrase


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


def shape_line(account: Account) -> str:
    """Return the size and the shape of an architecture on one line.

    >>> from slimlm.core.accounting import account
    >>> from slimlm.core.architecture import Architecture
    >>> shape_line(account(Architecture(d_model=216, d_ff=544, n_layers=12)))
    '10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
    """
    arch = account.architecture
    return (
        f"{format_count(account.total_params)} parameters · {counted(arch.n_layers, 'layer')} × d_model "
        f"{arch.d_model:,} · d_ff {arch.d_ff:,} · {heads_phrase(arch)}"
    )


def counted(number: int, noun: str) -> str:
    """Write a number with its noun in singular or plural.

    >>> counted(1, "layer"), counted(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
