"""Building and running the PyTorch model, compared with transformers' Llama of the same dimensions.

Three sizes with the shapes of published models, the smaller ones with slimlm's default choices and with Llama's; fewer
rounds for larger ones.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from slimlm.core.architecture import Architecture
from tests.bench.kit import Row, in_turns

if TYPE_CHECKING:
    from torch import nn


class Size(NamedTuple):
    """An architecture, and how often it is built and run."""

    name: str
    architecture: Architecture
    builds: int
    forwards: int
    batches: tuple[tuple[int, int], ...]
    """(batch, tokens) of each forward pass."""


def _plain(n_layers: int, d_model: int, d_ff: int, n_heads: int, vocab_size: int) -> Architecture:
    return Architecture(n_layers=n_layers, d_model=d_model, d_ff=d_ff, n_heads=n_heads, vocab_size=vocab_size)


def _like_llama(n_layers: int, d_model: int, d_ff: int, n_heads: int, n_kv_heads: int, vocab_size: int) -> Architecture:
    return Architecture(
        n_layers=n_layers,
        d_model=d_model,
        d_ff=d_ff,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        vocab_size=vocab_size,
        norm="rmsnorm",
        positions="rope",
    )


SMALL, MEDIUM, LARGE = ((1, 128), (4, 256)), ((1, 128), (2, 256)), ((1, 128),)

SIZES = (
    Size("10M", _plain(11, 220, 585, 10, 16_000), 9, 15, SMALL),
    Size("10M like Llama", _like_llama(13, 220, 584, 10, 2, 16_000), 9, 15, SMALL),
    Size("110M", _plain(12, 768, 2048, 12, 32_000), 3, 5, MEDIUM),
    Size("110M like Llama", _like_llama(12, 768, 2400, 12, 4, 32_000), 3, 5, MEDIUM),
    Size("750M like Llama", _like_llama(24, 1536, 4992, 24, 8, 32_000), 2, 3, LARGE),
)


def llama(arch: Architecture) -> Callable[[], Any]:
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


def matrix_shapes(model: "nn.Module") -> Counter[tuple[int, ...]]:
    """Count the matrices of each shape; a position table, which Llama does not have, is left out."""
    weights = model.named_parameters()
    return Counter(
        tuple(weight.shape) for name, weight in weights if weight.ndim == 2 and "position_embedding" not in name
    )


def model_rows() -> Iterator[Row]:
    """Run and build each size."""
    for size in SIZES:
        build_peer = llama(size.architecture)
        yield from forward_rows(size, build_peer)
        yield build_row(size, build_peer)


def forward_rows(size: Size, build_peer: Callable[[], Any]) -> Iterator[Row]:
    """Run a model in turns with transformers' Llama of the same dimensions."""
    import torch

    from slimlm import LanguageModel

    model, other = LanguageModel(size.architecture).eval(), build_peer().eval()
    assert matrix_shapes(model) == matrix_shapes(other), "slimlm's model and its peer must have the same matrices"
    for batch, tokens in size.batches:
        ids = torch.randint(size.architecture.vocab_size, (batch, tokens))

        def run(ids: Any = ids) -> Any:
            return model(ids)[0]

        def run_peer(ids: Any = ids) -> Any:
            return other(ids, use_cache=False).logits

        with torch.inference_mode():
            run(), run_peer()
            ours, peer = in_turns(run, run_peer, size.forwards)
        yield Row(f"forward {size.name} {batch} × {tokens} | Llama", ours, peer, most_ratio=1.0)


def build_row(size: Size, build_peer: Callable[[], Any]) -> Row:
    """Build a model in turns with transformers' Llama of the same dimensions, once both have been built before."""
    from slimlm import LanguageModel

    arch = size.architecture
    ours, peer = in_turns(lambda: LanguageModel(arch), build_peer, size.builds)
    dims = f"{arch.n_layers} × {arch.d_model}/{arch.d_ff}, {arch.n_heads} heads"
    return Row(f"build {size.name} | Llama ({dims})", ours, peer, most_ratio=0.6)
