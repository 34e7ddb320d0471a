"""Tensors of the parts of a layer, with the names that slimlm gives them and the shapes that transformers builds."""

from slimlm.core.layered import Tensors

Shapes = dict[str, tuple[int, ...]]
"""Tensors by name."""

Mixture = tuple[dict[str, tuple[int, ...]], int]
"""Tensors of a feed-forward, and how many of its parameters a token does not use."""


def linear(name: str, rows: int, columns: int, bias: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the weight (rows, columns) of a projection, and its bias."""
    weight: dict[str, tuple[int, ...]] = {f"{name}.weight": (rows, columns)}
    return weight | {f"{name}.bias": (rows,)} if bias else weight


def attention(
    d_model: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    *,
    bias: bool = False,
    norms: bool = False,
    gated: bool = False,
) -> dict[str, tuple[int, ...]]:
    """Return the projections of attention; `gated` queries carry a gate of the output beside them (Qwen3-Next)."""
    queries, keys = heads * head_dim, kv_heads * head_dim
    found = linear("attention.q_proj", 2 * queries if gated else queries, d_model, bias)
    found |= linear("attention.k_proj", keys, d_model, bias) | linear("attention.v_proj", keys, d_model, bias)
    found |= linear("attention.o_proj", d_model, queries, bias)
    return found | ({"norms.q_norm": (head_dim,), "norms.k_norm": (head_dim,)} if norms else {})


def feed_forward(d_model: int, d_ff: int, *, gated: bool = True, bias: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the matrices of a feed-forward."""
    found = linear("ffn.gate_proj", d_ff, d_model, bias) if gated else {}
    return found | linear("ffn.up_proj", d_ff, d_model, bias) | linear("ffn.down_proj", d_model, d_ff, bias)


def experts(d_model: int, d_expert: int, count: int, *, gated: bool = True) -> dict[str, tuple[int, ...]]:
    """Return the stacked matrices of experts without biases."""
    up = 2 * d_expert if gated else d_expert
    return {"ffn.experts.up_proj": (count, up, d_model), "ffn.experts.down_proj": (count, d_model, d_expert)}


def norms(d_model: int, *names: str) -> dict[str, tuple[int, ...]]:
    """Return RMSNorm weights of the width of the model."""
    return {f"norms.{name}": (d_model,) for name in names}


def mamba2(
    d_model: int, inner: int, heads: int, groups: int, state: int, kernel: int, *, bias: bool, conv_bias: bool
) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a Mamba-2 mixer (Dao and Gu 2024, arXiv 2405.21060) of inner width `inner`."""
    channels = inner + 2 * groups * state
    found: dict[str, tuple[int, ...]] = {"recurrence.conv.weight": (channels, 1, kernel)}
    found |= {"recurrence.conv.bias": (channels,)} if conv_bias else {}
    found |= linear("recurrence.in_proj", inner + channels + heads, d_model, bias)
    return found | {f"recurrence.{name}": (heads,) for name in ("dt_bias", "A_log", "D")}


def mamba2_state(inner: int, heads: int, groups: int, state: int, kernel: int) -> int:
    """Return the numbers that a Mamba-2 mixer keeps of a sequence: `kernel` columns of its convolution, and its state.

    An engine may keep one column less, because the newest is an input of the step.
    """
    return (inner + 2 * groups * state) * kernel + inner * state


def delta_net(d_model: int, key: int, value: int, heads: int, head: int, kernel: int) -> Tensors:
    """Return the tensors of a gated DeltaNet (Yang et al. 2024, arXiv 2412.06464).

    `key` and `value` are the widths of all keys and all values, `heads` the value heads, `head` the width of one.
    """
    return {
        **linear("recurrence.in_proj_qkv", 2 * key + value, d_model),
        **linear("recurrence.in_proj_z", value, d_model),
        **linear("recurrence.in_proj_b", heads, d_model),
        **linear("recurrence.in_proj_a", heads, d_model),
        **linear("recurrence.out_proj", d_model, value),
        "recurrence.conv.weight": (2 * key + value, 1, kernel),
        "recurrence.dt_bias": (heads,),
        "recurrence.A_log": (heads,),
        "recurrence.norm": (head,),
    }


def mixture(
    d_model: int, d_expert: int, count: int, chosen: int, *, shared: int = 0, bias: bool = False, router: bool = False
) -> Mixture:
    """Return a router and gated experts, of which a token uses `chosen`, and how many parameters it does not use.

    `shared` is the width of a feed-forward beside them that every token uses, `bias` says whether the experts have
    biases, and `router` whether the router has one.
    """
    found = experts(d_model, d_expert, count) | linear("ffn.router", count, d_model, router)
    if bias:
        found |= {"ffn.experts.up_proj_bias": (count, 2 * d_expert), "ffn.experts.down_proj_bias": (count, d_model)}
    one = 3 * d_model * d_expert + (2 * d_expert + d_model if bias else 0)
    beside = feed_forward(d_model, shared) if shared else {}
    found |= {name.replace("ffn.", "ffn.shared."): shape for name, shape in beside.items()}
    return found, (count - chosen) * one


def mamba1(
    d_model: int, inner: int, rank: int, state: int, kernel: int, *, bias: bool, conv_bias: bool
) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a Mamba mixer (Gu and Dao 2023, arXiv 2312.00752); `rank` is that of the time steps."""
    found: dict[str, tuple[int, ...]] = {"recurrence.conv.weight": (inner, 1, kernel)}
    found |= {"recurrence.conv.bias": (inner,)} if conv_bias else {}
    found |= linear("recurrence.in_proj", 2 * inner, d_model, bias) | linear(
        "recurrence.out_proj", d_model, inner, bias
    )
    found |= linear("recurrence.x_proj", rank + 2 * state, inner) | linear("recurrence.dt_proj", inner, rank, True)
    return found | {"recurrence.A_log": (inner, state), "recurrence.D": (inner,)}
