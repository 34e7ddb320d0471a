"""Scaled models: what stays, what is proposed, and totals that are met."""

import math
import re

import pytest

from slimlm.core.architecture import Architecture
from slimlm.core.published import PublishedModel, published_model, published_models
from slimlm.core.shape_law import published_aspect_ratio
from slimlm.notes.verdict import Weight, verdict
from slimlm.solver.scaling import scaled

STRUCTURE = ("norm", "positions", "ffn", "bias", "qk_norm", "block", "tied_lm_head", "rope_theta", "layer_norm_eps")
HEADS = pytest.mark.parametrize("total", [30_000_000, 400_000_000])
ORDINARY = [model for model in published_models() if model.architecture.head_width in range(32, 129)]


def off_law(architecture: Architecture, total: int) -> float:
    return architecture.d_model / architecture.n_layers / published_aspect_ratio(total)


@HEADS
@pytest.mark.parametrize("model", ORDINARY, ids=lambda model: model.name)
def test_a_scaled_model_is_of_its_family_and_of_an_ordinary_shape(model: PublishedModel, total: int) -> None:
    before, design = model.architecture, scaled(model.architecture, total)
    after = design.architecture
    assert abs(design.total_params - total) <= 0.005 * total
    assert {name: getattr(after, name) for name in STRUCTURE} == {name: getattr(before, name) for name in STRUCTURE}
    assert after.head_width == before.head_width
    assert after.vocab_size <= before.vocab_size
    assert after.n_heads // after.kv_heads >= before.n_heads // before.kv_heads or after.kv_heads == 1
    assert abs(math.log(after.glu_expansion / before.glu_expansion)) < math.log(2)
    assert abs(math.log(off_law(after, total) / off_law(before, model.total_params))) < math.log(2)
    # A model of unusual proportions (llama-68m has 2 layers) stays unusual.
    assert verdict(design).weight != Weight.SHAPE or not 0.4 < off_law(before, model.total_params) < 2.5


def test_a_1b_llama_at_30m_keeps_heads_of_64_and_takes_a_small_vocabulary() -> None:
    # Asked for the same shape at 30M, its heads would be 6 wide and 82 % of it embeddings.
    design = scaled(published_model("Llama-3.2-1B").architecture, 30_000_000)
    arch = design.architecture
    assert (arch.n_layers, arch.d_model, arch.n_heads, arch.kv_heads, arch.head_width) == (8, 448, 7, 1, 64)
    assert arch.vocab_size == 16_384
    assert design.account.embedding_ratio < 0.25


def test_a_model_scaled_to_its_own_size_stays_near_itself() -> None:
    before = published_model("gpt2")
    after = scaled(before.architecture, before.total_params).architecture
    assert (after.n_layers, after.d_model, after.n_heads, after.vocab_size) == (12, 768, 12, 50_257)


def test_a_total_beyond_the_most_heads_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"is too large for a model with heads of 64; a smaller total would work$"):
        scaled(published_model("gpt2").architecture, 10**15)


def test_a_total_without_room_is_one_sentence() -> None:
    sentence = "total_params=1,000 is too small for a model with heads of 64; a larger total would work"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        scaled(published_model("gpt2").architecture, 1000)
