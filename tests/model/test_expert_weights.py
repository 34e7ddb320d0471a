"""Exported mixtures: transformers loads them, and answers alike."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.interop.hf import from_hf_config
from slimlm.interop.hf.export_classes import NativeClass
from slimlm.interop.hf.export_config import native_class, no_class_sentence, to_hf_config
from slimlm.interop.hf.export_experts import EXPERT_CLASSES
from slimlm.model.pretrained import export_pretrained
from tests.native import built, some_ids
from tests.strategies import mixtures

BY_TITLE = {native.title: native for native in EXPERT_CLASSES}
MIXTURE = Architecture(
    vocab_size=40,
    max_seq_length=16,
    n_heads=2,
    d_model=12,
    d_ff=20,
    n_layers=3,
    norm="rmsnorm",
    positions="rope",
    n_experts=6,
    dropout=0.0,
    attention_dropout=0.0,
)


@st.composite
def of_class(draw: st.DrawFn, native: NativeClass) -> Architecture:
    """Draw small mixtures of a class, with every choice that it leaves open."""
    latent = native.title == "DeepSeek-V3"
    dense = draw(st.integers(0, 2)) if native.title in ("Qwen3-MoE", "Qwen2-MoE", "DeepSeek-V3") else 0
    groups = draw(st.sampled_from([1, 2, 3])) if latent else 1
    per_token = draw(st.integers(1, 2))
    fields: dict[str, Any] = {
        "n_layers": dense + draw(st.integers(1, 2)),
        "n_dense_layers": dense,
        "d_dense": draw(st.none() | st.just(18)) if dense else None,
        "experts_per_token": per_token,
        "n_kv_heads": None if latent else draw(st.sampled_from([None, 1])),
        "bias": draw(st.sampled_from(native.needs["bias"])),  # type: ignore[arg-type]
        "ffn": draw(st.sampled_from(["swiglu", "geglu", "geglu_tanh"])),
        "tied_lm_head": draw(st.booleans()),
        "n_expert_groups": groups,
        "groups_per_token": draw(st.integers(1, groups)),
        "normalise_router": draw(st.booleans()),
        "routed_scale": draw(st.sampled_from([1.0, 2.5])) if latent else 1.0,
        "router": "sigmoid" if latent else "softmax",
    }
    if latent:
        fields |= {"kv_lora_rank": 9, "q_lora_rank": draw(st.sampled_from([None, 7])), "qk_rope_head_dim": 4}
        fields |= {"head_dim": draw(st.sampled_from([None, 8])), "v_head_dim": draw(st.sampled_from([None, 5]))}
        fields |= {"n_shared_experts": draw(st.integers(1, 2))}
    if native.title == "Qwen2-MoE":
        fields |= {"n_shared_experts": 1, "shared_expert_gate": True, "d_shared": draw(st.sampled_from([None, 11]))}
    arch = replace(MIXTURE, **fields)
    changes = native.changes(arch)
    assert changes is not None
    return replace(arch, **changes)


@pytest.mark.parametrize("title", BY_TITLE)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_transformers_answers_alike(title: str, data: st.DataObject) -> None:
    arch = data.draw(of_class(BY_TITLE[title]))
    assert native_class(arch).title == title
    model, ids = built(arch), some_ids(arch)
    with TemporaryDirectory() as folder, torch.inference_mode():
        export_pretrained(model, folder)
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
        theirs, told = loaded
        assert not told["missing_keys"] - {"lm_head.weight"}
        assert not told["unexpected_keys"]
        torch.testing.assert_close(model(ids)[0], theirs.eval()(ids).logits, rtol=1e-3, atol=1e-3)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == account(arch).total_params


@pytest.mark.parametrize("title", BY_TITLE)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_config_describes_its_architecture(title: str, data: st.DataObject) -> None:
    arch = data.draw(of_class(BY_TITLE[title]))
    assert replace(from_hf_config(to_hf_config(arch)), dropout=arch.dropout) == arch


def test_an_expert_has_matrices_of_its_own_as_in_released_checkpoints(tmp_path: Path) -> None:
    held = load_file(export_pretrained(built(MIXTURE), tmp_path) / "model.safetensors")
    assert held["model.layers.2.block_sparse_moe.experts.5.w2.weight"].shape == (12, 20)
    assert held["model.layers.0.block_sparse_moe.gate.weight"].shape == (6, 12)


@given(mixtures())
@settings(deadline=None)
def test_a_mixture_has_a_class_or_a_sentence(arch: Architecture) -> None:
    sentence = no_class_sentence(arch)
    if sentence:
        assert sentence.startswith("No Hugging Face class that slimlm can write fits this mix.")
        with pytest.raises(ValueError, match=r"has no class in transformers; .*slimlm's save_pretrained keeps any"):
            to_hf_config(arch)
    else:
        assert native_class(arch).name.endswith("ForCausalLM")


def test_a_mixture_is_never_taken_for_a_dense_class() -> None:
    assert native_class(replace(MIXTURE, n_experts=0)).title == "Llama"
    assert native_class(MIXTURE).title == "Mixtral"
    shared = replace(MIXTURE, n_shared_experts=1)
    assert "Switch to" in no_class_sentence(shared)
