"""Architectures that are exactly a class of Hugging Face transformers, and models with weights that matter."""

from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.interop.hf.export_classes import NATIVE, NativeClass
from slimlm.model.language_model import LanguageModel
from tests.strategies import attention_options

BY_TITLE = {native.title: native for native in NATIVE}

SMALL = Architecture(vocab_size=40, max_seq_length=16, n_heads=2, d_model=12, d_ff=20, n_layers=2)
SMALL_LLAMA = replace(SMALL, norm="rmsnorm", positions="rope", dropout=0.0, attention_dropout=0.0)


@st.composite
def of_class(draw: st.DrawFn, native: NativeClass) -> Architecture:
    """Draw small architectures of a class: any of the words that it takes, heads of any kind."""
    words = {name: draw(st.sampled_from(options)) for name, options in native.needs.items() if not callable(options)}
    n_heads = draw(st.integers(1, 6))
    rest: dict[str, Any] = {
        "vocab_size": draw(st.integers(2, 60)),
        "max_seq_length": draw(st.integers(1, 12)),
        "n_heads": n_heads,
        "n_kv_heads": draw(st.sampled_from([count for count in range(1, n_heads + 1) if n_heads % count == 0])),
        "head_dim": draw(st.none() | st.sampled_from([2, 4, 10])),
        "d_model": 2 * n_heads * draw(st.integers(1, 5)),
        "d_ff": draw(st.integers(1, 30)),
        "n_layers": draw(st.integers(1, 3)),
        "tied_lm_head": draw(st.booleans()),
        "layer_norm_eps": draw(st.sampled_from([1e-6, 1e-3])),
        "rope_theta": draw(st.sampled_from([10_000.0, 500_000.0, 20.5])) if words["positions"] == "rope" else 10_000.0,
        "dropout": draw(st.sampled_from([0.0, 0.25])),
        "attention_dropout": draw(st.sampled_from([0.0, 0.5])),
    }
    newest = draw(st.one_of(st.just({}), attention_options(words["positions"])))
    arch = Architecture(**newest | rest | words)
    changes = native.changes(arch)
    assert changes is not None
    return replace(arch, **changes)


def built(arch: Architecture = SMALL, dtype: torch.dtype = torch.float32, std: float = 0.4) -> LanguageModel:
    """Build a model in evaluation mode, by default with weights large enough for every part to matter."""
    model = LanguageModel(arch, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=std)
    return model


def some_ids(arch: Architecture = SMALL) -> Tensor:
    """Draw two sequences of full length."""
    return torch.randint(arch.vocab_size, (2, arch.max_seq_length))
