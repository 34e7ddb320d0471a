"""Preset comparisons."""

from functools import partial

from slimlm.compare.pins import Pin, pin_of
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model

_gpt2 = partial(
    ModelConfig,
    total_params=125_000_000,
    vocab_size=50_257,
    embedding_ratio=0.31,
    glu_expansion=4.0,
    n_heads=12,
    max_seq_length=1024,
    layer_norm_eps=1e-5,
    ffn="gelu",
)
_rope = partial(_gpt2, positions="rope", norm="rmsnorm")
_swiglu = partial(_rope, ffn="swiglu", glu_expansion=2.66)


def preset_pins(label: str) -> tuple[Pin, ...]:
    """Return the pins of a preset comparison."""
    return tuple(pin_of(model, name) for model, name in COMPARISON_PRESETS[label])


COMPARISON_PRESETS = {
    "The default design, SmolLM2-135M and Qwen3-0.6B": (
        (ModelConfig(), ""),
        (published_model("SmolLM2-135M"), ""),
        (published_model("Qwen3-0.6B"), ""),
    ),
    "25, 35 and 45 % of 10M in embeddings": tuple(
        (ModelConfig(embedding_ratio=percent / 100), f"{percent} % embedding") for percent in (25, 35, 45)
    ),
    "From GPT-2 to Llama at 125M": (
        (_gpt2(bias="all"), "GPT-2"),
        (_rope(), "with RoPE, RMSNorm, no biases"),
        (_swiglu(), "with SwiGLU"),
        (_swiglu(n_kv_heads=4), "with 4 KV heads: Llama"),
    ),
}
"""Models and their names, by the label of the preset."""
