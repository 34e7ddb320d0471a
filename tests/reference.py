"""The model's equations written out by hand in double precision: one head of one token at a time, nothing fused."""

import cmath
import math

import torch
from torch import Tensor, nn

from slimlm.core.architecture import Architecture

Weights = dict[str, Tensor]


def weights_of(layer: nn.Module) -> Weights:
    """Return the layer's weights in double precision."""
    return {name: weight.double() for name, weight in layer.state_dict().items()}


def part(weights: Weights, prefix: str) -> Weights:
    """Return the weights below a name."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    """Apply a projection with the bias that it may have."""
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(1, dtype=x.dtype))


def silu(x: Tensor) -> Tensor:
    """Return x · sigmoid(x)."""
    return x / (1 + (-x).exp())


def gelu(x: Tensor) -> Tensor:
    """Return x · Φ(x) with the exact normal distribution."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0)."""
    return x * (x > 0)


def gelu_tanh(x: Tensor) -> Tensor:
    """Return GELU's approximation by tanh."""
    return x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def relu2(x: Tensor) -> Tensor:
    """Return max(x, 0)²."""
    return relu(x) ** 2


ACTIVATIONS = {"swiglu": silu, "geglu": gelu, "gelu": gelu, "relu": relu} | {
    "geglu_tanh": gelu_tanh,
    "gelu_tanh": gelu_tanh,
    "relu2": relu2,
}


def feed_forward(weights: Weights, x: Tensor, kind: str = "swiglu") -> Tensor:
    """Apply down(activation(gate) · up), or down(activation(up)) for a plain one."""
    up, activation = linear(weights, "up_proj", x), ACTIVATIONS[kind]
    inner = activation(linear(weights, "gate_proj", x)) * up if "glu" in kind else activation(up)
    return linear(weights, "down_proj", inner)


def norm(weights: Weights, x: Tensor, eps: float, kind: str = "layernorm") -> Tensor:
    """Normalise the last dimension."""
    if kind == "rmsnorm":
        return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weights["weight"]
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return normed * weights.get("weight", torch.ones(1, dtype=x.dtype)) + weights.get(
        "bias", torch.zeros(1, dtype=x.dtype)
    )


def turned(head: Tensor, position: int, theta: float) -> Tensor:
    """Turn one head of one token: numbers i and i + K/2 are the parts of a complex number (Su et al. 2021, eq. 13)."""
    half = len(head) // 2
    if not half:
        return head
    turns = [cmath.exp(1j * position * theta ** (-2 * i / len(head))) for i in range(half)]
    pairs = torch.complex(head[:half], head[half:]) * torch.tensor(turns, dtype=torch.complex128)
    return torch.cat([pairs.real, pairs.imag])


def alibi_slope(head: int, n_heads: int) -> float:
    """Return the slope of a head as the paper's code gives it, by recursion on the next lower power of two."""

    def slopes(count: int) -> list[float]:
        if math.log2(count).is_integer():
            return [2 ** (-8 * (i + 1) / count) for i in range(count)]
        lower = 2 ** math.floor(math.log2(count))
        return slopes(lower) + slopes(2 * lower)[0::2][: count - lower]

    return slopes(n_heads)[head]


def attention(weights: Weights, x: Tensor, arch: Architecture, mask: Tensor | None = None, kind: str = "f") -> Tensor:
    """Softmax attention, one head of one sequence at a time."""
    batch, length, _ = x.shape
    queries, keys, values = projections(weights, x, arch, kind)
    allowed = (torch.ones(length, length) if mask is None else mask).expand(batch, arch.n_heads, length, length)
    heads = torch.zeros(batch, length, arch.n_heads, arch.head_width, dtype=x.dtype)
    positions = torch.arange(length)
    for b in range(batch):
        for h in range(arch.n_heads):
            shared = h * arch.kv_heads // arch.n_heads
            scores = queries[b, :, h] @ keys[b, :, shared].T * (arch.attention_scale or 1 / math.sqrt(arch.head_width))
            if arch.attention_softcap:
                scores = arch.attention_softcap * torch.tanh(scores / arch.attention_softcap)
            if arch.positions == "alibi":
                scores = scores - alibi_slope(h, arch.n_heads) * (positions[:, None] - positions[None, :])
            reached = allowed[b, h] != 0
            if kind == "w":
                assert arch.window
                reached = reached & (positions[:, None] - positions[None, :] < arch.window)
            scores = scores.masked_fill(~reached, -math.inf)
            weight = (scores - scores.amax(-1, keepdim=True)).exp()  # large scores would overflow
            heads[b, :, h] = weight / weight.sum(-1, keepdim=True) @ values[b, :, shared]
    return linear(weights, "o_proj", heads.flatten(2))


def projections(weights: Weights, x: Tensor, arch: Architecture, kind: str = "f") -> list[Tensor]:
    """Return queries, keys and values, each (B, T, heads, K): normalised and turned."""
    made, turn = [], int(arch.head_width * arch.rotary_share) // 2 * 2
    theta = arch.window_rope_theta if kind == "w" and arch.window_rope_theta else arch.rope_theta
    for name, count in (("q", arch.n_heads), ("k", arch.kv_heads), ("v", arch.kv_heads)):
        y, of_norm = linear(weights, f"{name}_proj", x), part(weights, f"{name}_norm.")
        normed = arch.qk_norm if name != "v" else "none"
        if normed == "full":
            y = norm(of_norm, y, arch.layer_norm_eps, arch.norm)
        y = y.reshape(*x.shape[:2], count, arch.head_width)
        if normed == "head":
            y = norm(of_norm, y, arch.layer_norm_eps, arch.norm)
        if name != "v" and arch.positions == "rope" and kind != "n":
            for b in range(x.shape[0]):
                for t in range(x.shape[1]):
                    for h in range(count):
                        y[b, t, h, :turn] = turned(y[b, t, h, :turn].clone(), t, theta)
        made.append(y)
    return made


def block(weights: Weights, x: Tensor, arch: Architecture, mask: Tensor | None, kind: str = "f") -> Tensor:
    """One transformer block, its norms where the architecture has them."""

    r = arch.residual_scale

    def normed(name: str, y: Tensor) -> Tensor:
        return norm(part(weights, f"{name}."), y, arch.layer_norm_eps, arch.norm)

    def attend(y: Tensor) -> Tensor:
        return r * attention(part(weights, "attention."), y, arch, mask, kind)

    def feed(y: Tensor) -> Tensor:
        return r * feed_forward(part(weights, "ffn."), y, arch.ffn)

    if arch.block == "parallel":
        return x + attend(normed("attention_norm", x)) + feed(normed("ffn_norm", x))
    if arch.block == "parallel_one_norm":
        return x + attend(normed("shared_norm", x)) + feed(normed("shared_norm", x))
    if arch.block == "output_norm":
        x = x + r * normed("attention_output_norm", attend(x) / r)
        return x + r * normed("ffn_output_norm", feed(x) / r)
    if arch.block == "sandwich_norm":
        x = x + r * normed("attention_output_norm", attend(normed("attention_norm", x)) / r)
        return x + r * normed("ffn_output_norm", feed(normed("ffn_norm", x)) / r)
    x = x + attend(normed("attention_norm", x))
    return x + feed(normed("ffn_norm", x))


def logits(model: nn.Module, ids: Tensor, arch: Architecture) -> Tensor:
    """Return the logits (B, T, V) of a `LanguageModel`."""
    weights, length = weights_of(model), ids.shape[1]
    x = weights["token_embedding.weight"][ids] * arch.embedding_scale
    if arch.positions == "learned":
        x = x + weights["position_embedding.weight"][arch.position_offset : arch.position_offset + length]
    if arch.embedding_norm:
        x = norm(part(weights, "embedding_norm."), x, arch.layer_norm_eps, arch.norm)
    for layer in range(arch.n_layers):
        kind = arch.layer_pattern[layer % len(arch.layer_pattern)]
        x = block(part(weights, f"blocks.{layer}."), x, arch, torch.ones(length, length).tril(), kind)
    x = norm(part(weights, "final_norm."), x, arch.layer_norm_eps, arch.norm)
    head = weights["token_embedding.weight" if arch.tied_lm_head else "lm_head.weight"]
    found = arch.logit_scale * (x @ head.T + weights.get("lm_head.bias", torch.zeros(1, dtype=x.dtype)))
    return arch.logit_softcap * torch.tanh(found / arch.logit_softcap) if arch.logit_softcap else found
