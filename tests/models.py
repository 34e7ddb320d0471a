"""Architectures of well-known structures, for tests of what is said about them."""

from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig

LLAMA: dict[str, Any] = {
    "n_heads": 9,
    "n_kv_heads": 3,
    "norm": "rmsnorm",
    "positions": "rope",
    "rope_theta": 100_000.0,
}
GPT2: dict[str, Any] = {"n_heads": 12, "ffn": "gelu", "bias": "all"}
GEMMA: dict[str, Any] = {
    "n_heads": 4,
    "n_kv_heads": 1,
    "head_dim": 256,
    "norm": "rmsnorm",
    "positions": "rope",
    "rope_theta": 1_000_000.0,
    "ffn": "geglu",
    "qk_norm": "head",
    "block": "sandwich_norm",
}
BLOOM: dict[str, Any] = {"n_heads": 16, "positions": "alibi", "ffn": "gelu", "bias": "all", "embedding_norm": True}
OLMO: dict[str, Any] = {"n_heads": 16, "norm": "layernorm_no_params", "positions": "rope"}

STRUCTURES = {"llama": LLAMA, "gpt2": GPT2, "gemma": GEMMA, "bloom": BLOOM, "olmo": OLMO}

ARCHITECTURES = {
    "llama": Architecture(vocab_size=49_152, max_seq_length=8192, d_model=576, d_ff=1536, n_layers=30, **LLAMA),
    "gpt2": Architecture(vocab_size=50_257, max_seq_length=1024, d_model=768, d_ff=3072, n_layers=12, **GPT2),
    "gemma": Architecture(vocab_size=262_144, max_seq_length=32_768, d_model=640, d_ff=2048, n_layers=18, **GEMMA),
    "bloom": Architecture(vocab_size=250_880, max_seq_length=2048, d_model=1024, d_ff=4096, n_layers=24, **BLOOM),
    "olmo": Architecture(vocab_size=50_304, max_seq_length=2048, d_model=2048, d_ff=8192, n_layers=16, **OLMO),
}

REQUESTS = {
    "llama": ModelConfig(total_params=30_000_000, vocab_size=32_000, embedding_ratio=0.2, **LLAMA),
    "gpt2": ModelConfig(total_params=30_000_000, vocab_size=32_000, glu_expansion=4.0, tied_lm_head=False, **GPT2),
    "gemma": ModelConfig(total_params=60_000_000, vocab_size=32_000, embedding_ratio=0.2, **GEMMA),
    "bloom": ModelConfig(total_params=30_000_000, vocab_size=32_000, glu_expansion=4.0, **BLOOM),
    "olmo": ModelConfig(total_params=30_000_000, vocab_size=32_000, **OLMO),
}

HF_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 4096,
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 5,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
"""A small config.json of Hugging Face."""
