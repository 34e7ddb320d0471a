"""The verdict: the weightiest fault first, and a remedy that is a solved design without it."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings

from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_model, published_models
from slimlm.notes.plausibility import oddities, peers
from slimlm.notes.verdict import Verdict, Weight, verdict
from slimlm.serialization.fields import EXPANSIONS, RATIOS, TOTALS, VOCABULARIES
from slimlm.solver.solver import BudgetError, solve
from tests.strategies import log_spaced, requests


def judged(**choices: object) -> Verdict:
    return verdict(solve(ModelConfig(**choices)))  # type: ignore[arg-type]


def stops() -> Iterator[ModelConfig]:
    """Yield every position of each slider beside the defaults of the others."""
    yield from (ModelConfig(total_params=total) for total in TOTALS)
    yield from (ModelConfig(vocab_size=size) for size in VOCABULARIES)
    yield from (ModelConfig(embedding_ratio=ratio) for ratio in RATIOS)
    yield from (ModelConfig(glu_expansion=expansion) for expansion in EXPANSIONS)


def check_remedy(found: Verdict) -> None:
    """Check that a remedy is what the solver gives, plausible, and on target."""
    if found.remedy:
        assert solve(found.remedy.request).architecture == found.remedy.design.architecture
        assert not oddities(found.remedy.design.account)
        assert not found.remedy.design.off_target


def test_every_position_of_every_slider_gets_a_verdict_and_odd_shapes_a_remedy() -> None:
    seen = set()
    for config in stops():
        try:
            design = solve(config)
        except BudgetError:
            continue
        found = verdict(design)
        seen.add(found.weight)
        assert (found.weight == Weight.SHAPE) == bool(oddities(design.account))
        check_remedy(found)
        if found.weight == Weight.SHAPE:
            assert found.remedy, config
    assert seen == set(Weight)


@given(requests(1_000_000, 10_000_000_000))
@settings(deadline=None, max_examples=60)
def test_a_remedy_is_never_an_odd_shape(config: ModelConfig) -> None:
    try:
        design = solve(config)
    except BudgetError:
        return
    check_remedy(verdict(design))


@pytest.mark.parametrize(
    ("choices", "weight", "said"),
    [
        (
            {"total_params": 100_000_000},
            Weight.SHAPE,
            "1 layer: most published models near 100M have 5 to 30. "
            "With embedding ratio 0.11: 16 layers × 680, all targets within 2 %.",
        ),
        (
            {"vocab_size": 128_256},
            Weight.SHAPE,
            "986 layers: most published models near 10M have 5 to 8. "
            "With embedding ratio auto, heads auto, vocabulary 32,000: 7 layers × 202, all targets within 2 %.",
        ),
        (
            {},
            Weight.OFF_TARGET,
            "The GLU expansion is 5.3 % below its target. With 5 heads: 11 layers × 220, all targets within 0.5 %.",
        ),
        (
            {"total_params": 10**10, "embedding_ratio": "auto"},
            Weight.SHAPE,
            "Heads of 570 are too wide: published models have 32 to 256. With heads auto: "
            "40 layers × 4,558, all targets within 0.5 %.",
        ),
        (
            {"embedding_ratio": 0.4, "multiple_of": 8, "n_heads": 4},
            Weight.GOOD,
            "All targets within 1 %. 8 layers × 248 is a usual shape: d_model / n_layers is 31 "
            "(published models near 10M: 29).",
        ),
    ],
)
def test_the_sentence_says_what_matters_most(choices: dict[str, object], weight: Weight, said: str) -> None:
    found = judged(**choices)
    assert (str(found), found.weight) == (said, weight)


def test_unaligned_widths_are_said_when_nothing_weighs_more() -> None:
    found = judged(embedding_ratio=0.41)
    assert found.weight == Weight.ALIGNMENT
    assert found.text == "d_ff 660 is no multiple of 8: tensor cores compute the rest as padding."
    assert found.remedy
    assert found.remedy.request.multiple_of == 8


def test_a_pinned_depth_is_left_open_by_the_remedy() -> None:
    remedy = judged(n_layers=1).remedy
    assert remedy
    assert remedy.request.n_layers is None


def test_a_target_that_nothing_near_meets_is_said() -> None:
    found = judged(
        total_params=3_000_000,
        vocab_size=32_000,
        n_heads=4,
        embedding_ratio=0.4,
        glu_expansion=1.0,
        multiple_of=8,
        n_layers=6,
    )
    assert found.weight == Weight.OFF_TARGET
    assert str(found) == (
        "The embedding ratio is 114.3 % above its target and the GLU expansion is 100.0 % above its target; no nearby "
        "design meets all targets: a smaller vocabulary or a larger total would help."
    )


def test_published_models_are_judged_by_their_shape_alone() -> None:
    verdicts = {model.name: verdict(model) for model in published_models()}
    odd = {name for name, found in verdicts.items() if found.weight == Weight.SHAPE}
    assert odd == {"TinyStories-1M", "TinyStories-3M", "llama-68m"}
    assert str(verdicts["gpt2"]).startswith("12 layers × 768 is a usual shape: d_model / n_layers is 64 (published")
    assert all(found.remedy is None for found in verdicts.values())


def test_a_scaled_model_with_the_vocabulary_of_a_large_one_is_odd() -> None:
    large = published_model("Llama-3.2-1B").architecture
    small = replace(large, n_layers=16, d_model=192, d_ff=768, n_heads=32, n_kv_heads=8, head_dim=6)
    found = verdict(NamedModel(name="scaled", architecture=small, origin="by hand"))
    assert found.weight == Weight.SHAPE
    assert [oddity.key for oddity in oddities(NamedModel("scaled", small, "by hand").account)][-1] == "head_dim"


@pytest.mark.parametrize(("total", "count"), [(100_000_000, 17), (1, 8), (10**13, 8)])
def test_peers_are_those_of_about_the_size_or_the_nearest(total: int, count: int) -> None:
    found = peers(total)
    assert len(found) == count
    assert min(published_models(), key=lambda model: abs(math.log(model.total_params / total))) in found


@given(log_spaced(1, 10**14))
def test_of_all_models_none_is_nearer_than_the_eight_that_stand_for_peers(total: int) -> None:
    found = peers(total)
    by_nearness = sorted(published_models(), key=lambda model: abs(math.log(model.total_params / total)))
    near = [model for model in by_nearness if total / 3 <= model.total_params <= total * 3]
    expected = near if len(near) >= 8 else by_nearness[:8]
    assert sorted(model.total_params for model in found) == sorted(model.total_params for model in expected)
