"""Building and running the real model, beside transformers' Llama of the same dimensions."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.kit import Row, in_turns


def llama(arch: Any) -> Callable[[], Any]:
    """Return a function that builds transformers' Llama with the same dimensions."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TRANSFORMERS_NO_ADVISORY_WARNINGS="1")
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = LlamaConfig(
        vocab_size=arch.vocab_size,
        hidden_size=arch.d_model,
        intermediate_size=arch.d_ff,
        num_hidden_layers=arch.n_layers,
        num_attention_heads=arch.n_heads,
        num_key_value_heads=arch.kv_heads,
        max_position_embeddings=arch.max_seq_length,
        tie_word_embeddings=arch.tied_lm_head,
        attn_implementation="sdpa",  # type: ignore[call-arg]
        use_cache=False,
    )
    return lambda: LlamaForCausalLM(config)


def even_heads(total_params: int, vocab_size: int) -> Any:
    """Return a request whose heads have an even width, as rotary positions need it."""
    from slimlm import ModelConfig, solve

    for n_heads in (10, 12, 16, 8, 4):
        config = ModelConfig(total_params=total_params, vocab_size=vocab_size, n_heads=n_heads)
        if solve(config).architecture.head_width % 2 == 0:
            return config
    raise LookupError("no customary number of heads gives an even head_dim")


def like_llama(total_params: int, vocab_size: int) -> Any:
    """Return a request for the very architecture of the peer."""
    from slimlm import ModelConfig

    return ModelConfig(
        total_params=total_params,
        vocab_size=vocab_size,
        n_heads="auto",
        n_kv_heads=2,
        norm="rmsnorm",
        positions="rope",
        dropout=0.0,
        attention_dropout=0.0,
    )


def model_rows() -> Iterator[Row]:
    sizes = ((10_000_000, 16_000, 11, 25), (110_000_000, 32_000, 5, 11), (750_000_000, 32_000, 3, 3))
    for total_params, vocab_size, builds, forwards in sizes:
        name = f"{total_params // 10**6}M"
        yield from against_llama(name, even_heads(total_params, vocab_size), builds, forwards)
        yield from against_llama(f"{name} like Llama", like_llama(total_params, vocab_size), builds, forwards)


def against_llama(name: str, config: Any, builds: int, forwards: int) -> Iterator[Row]:
    """Build and run a request's model in turns with transformers' Llama of the same dimensions."""
    import torch

    from slimlm import LanguageModel, solve

    arch = solve(config).architecture
    build_peer = llama(arch)
    build_peer()  # both have built once: imports and first uses are done
    LanguageModel(config)

    def build() -> LanguageModel:
        return LanguageModel(config)

    ours, peer = in_turns(build, build_peer, builds)
    dims = f"{arch.n_layers} × {arch.d_model}/{arch.d_ff}, {arch.n_heads} heads"
    yield Row(f"build {name} | Llama ({dims})", ours, peer, most_ratio=0.6)
    model, other = build().eval(), build_peer().eval()
    for batch, tokens in ((1, 128), (4, 256)):
        ids = torch.randint(config.vocab_size, (batch, tokens))

        def run(ids: Any = ids) -> Any:
            return model(ids)[0]

        def run_peer(ids: Any = ids) -> Any:
            return other(ids, use_cache=False).logits

        with torch.inference_mode():
            run(), run_peer()
            ours, peer = in_turns(run, run_peer, forwards)
        yield Row(f"forward {name} {batch} × {tokens} | Llama", ours, peer, most_ratio=1.0)
