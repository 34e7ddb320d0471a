"""Notes on mixtures: beside published ones, and beside dense models by what is active."""

from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.published import all_published, published_model
from slimlm.notes.note import Severity
from slimlm.notes.rules import design_notes
from slimlm.notes.verdict import verdict
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_share

MIXTURE: dict[str, Any] = {"n_experts": 16, "total_params": 100_000_000, "glu_expansion": 0.7, "multiple_of": 8}


def design(**choices: Any) -> Design:
    return solve(ModelConfig(**MIXTURE | choices))


def texts(of: Design) -> dict[str, str]:
    return {note.key: note.text for note in design_notes(of)}


def test_what_a_token_uses_is_set_beside_published_mixtures() -> None:
    note = next(note for note in design_notes(design()) if note.key == "experts")
    assert note.text.startswith("A token uses 2 of 16 routed experts (12.5 %), and ")
    assert "the published mixtures in slimlm use 3.1 % to 25.0 % of their experts" in note.text
    assert (note.severity, note.figure) == (Severity.INFO, "12.5 %, median 10.9 %")


def test_experts_unlike_those_of_any_published_mixture_are_worth_a_second_thought() -> None:
    note = next(note for note in design_notes(design(experts_per_token=12)) if note.key == "experts")
    assert note.severity == Severity.ADVICE


def test_a_dense_model_has_no_note_on_experts_and_a_mixture_none_on_its_expansion() -> None:
    assert "experts" not in texts(solve(ModelConfig()))
    assert "expansion" not in texts(design(glu_expansion=7.0, embedding_ratio=0.2))


def test_dense_models_are_compared_by_what_is_active_and_the_note_says_so() -> None:
    found = design()
    active = f"they are dense, of about the {found.account.active_params / 1e6:.2f}M that are active here"
    assert active in texts(found)["published_share"]
    assert "of the active parameters" in texts(found)["published_share"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("DeepSeek-V3", "(published dense models near the 38B that are active: 148)."),
        ("OLMoE-1B-7B", "(published dense models near the 1.3B that are active: 76)."),
    ],
)
def test_a_verdict_on_a_mixture_says_what_it_is_compared_with(name: str, sentence: str) -> None:
    assert str(verdict(published_model(name))).endswith(sentence)


def test_latent_attention_is_not_told_to_share_its_heads() -> None:
    found = solve(ModelConfig(kv_lora_rank=64, positions="rope", max_seq_length=1_000_000))
    assert "kv_cache" not in texts(found)


def test_the_vocabulary_is_set_beside_its_optimum_by_what_is_active() -> None:
    found = solve(ModelConfig(total_params=2_000_000, budget="active", n_experts=8))
    share = found.account.embedding_params / found.account.active_params
    assert texts(found)["vocabulary_optimum"].startswith(
        f"The embedding ratio of {format_share(share)} of the active parameters is above the compute-optimal 13.9 %"
    )


def test_the_width_that_kernels_pad_is_that_of_whole_queries() -> None:
    latent = {"kv_lora_rank": 16, "positions": "rope", "n_heads": 8, "head_dim": 26}
    assert texts(design(**latent, qk_rope_head_dim=64))["head_dim"].startswith(
        "A query width (head_dim + qk_rope_head_dim) of 90 is not a multiple of 8: FlashAttention pads it to 96"
    )
    assert "head_dim" not in texts(design(**latent, qk_rope_head_dim=6))


def test_published_mixtures_count_among_the_published_models() -> None:
    deepest = max(all_published(), key=lambda model: model.architecture.n_layers)
    note = texts(solve(ModelConfig(total_params=20_000_000, n_layers=120, embedding_ratio=0.1)))["depth"]
    assert f"the deepest published model in slimlm ({deepest.name}) has {deepest.architecture.n_layers}." in note
