"""Example requests: the default, corners of a grid around it, larger models, and shapes of known families."""

from functools import partial

from slimlm.core.config import ModelConfig
from slimlm.core.families import family

_aligned = partial(ModelConfig, vocab_size=32_000, max_seq_length=2048)

PRESETS: dict[str, ModelConfig] = {
    "10M, the default": ModelConfig(),
    "10M, 25 % embeddings, d_ff 2 × d_model": ModelConfig(embedding_ratio=0.25, glu_expansion=2.0),
    "10M, 25 % embeddings, d_ff 4 × d_model": ModelConfig(embedding_ratio=0.25, glu_expansion=4.0),
    "10M, 45 % embeddings, d_ff 2 × d_model": ModelConfig(embedding_ratio=0.45, glu_expansion=2.0),
    "10M, 45 % embeddings, d_ff 4 × d_model": ModelConfig(embedding_ratio=0.45, glu_expansion=4.0),
    "30M, multiples of 8": ModelConfig(total_params=30_000_000, embedding_ratio=0.2, n_heads=6, multiple_of=8),
    "125M, multiples of 32": _aligned(total_params=125_000_000, embedding_ratio=0.15, n_heads=9, multiple_of=32),
    "350M, multiples of 32": _aligned(total_params=350_000_000, embedding_ratio=0.09, n_heads=15, multiple_of=32),
    "1B, multiples of 128": _aligned(total_params=10**9, embedding_ratio=0.065, n_heads=16, multiple_of=128),
    "10M, like Llama": family("llama", embedding_ratio=0.41, n_heads=4, n_kv_heads=2, multiple_of=64),
    "124M, like GPT-2": family(
        "gpt2",
        124_000_000,
        vocab_size=50_257,
        embedding_ratio=0.31,
        glu_expansion=4.0,
        n_heads=12,
        max_seq_length=1024,
    ),
    "125M, like Qwen3": family(
        "qwen3",
        125_000_000,
        vocab_size=32_000,
        embedding_ratio=0.15,
        glu_expansion=3.0,
        max_seq_length=32_768,
        n_heads=8,
        n_kv_heads=4,
        head_dim=128,
        multiple_of=64,
    ),
    "270M, like Gemma 3": family(
        "gemma",
        268_000_000,
        vocab_size=262_144,
        embedding_ratio=0.626,
        glu_expansion=3.2,
        max_seq_length=32_768,
        n_heads=4,
        n_kv_heads=1,
        head_dim=256,
    ),
}
