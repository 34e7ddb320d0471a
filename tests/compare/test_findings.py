"""Findings of a comparison: what differs, what published evidence says, and what no formula can tell."""

import re

import pytest

from slimlm.compare.comparison import Comparison
from slimlm.compare.findings import Finding, Kind, findings
from slimlm.compare.pins import Pin, pin_of
from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model, published_models

SHARES = preset_pins("25, 35 and 45 % of 10M in embeddings")
TWO = SHARES[::2]
DEFAULT = pin_of(ModelConfig(), "a")
EIGHT = tuple(map(pin_of, published_models()[::8]))[:8]
SETS = {
    **{label: preset_pins(label) for label in COMPARISON_PRESETS},
    "two": TWO,
    "eight": EIGHT,
    "far apart": (DEFAULT, pin_of(published_models()[-1])),
    "absurd": (DEFAULT, pin_of(ModelConfig(total_params=100_000_000), "b")),
    "a setting": (DEFAULT, pin_of(ModelConfig(dropout=0.3), "b")),
}
every_set = pytest.mark.parametrize("name", SETS)


def said(pins: tuple[Pin, ...], baseline: int = 0) -> dict[Kind, str]:
    return {finding.kind: finding.text for finding in findings(Comparison(pins, baseline))}


def effects(*pins: Pin, baseline: int = 0) -> str:
    return said(pins, baseline)[Kind.EFFECTS]


# All findings.


@every_set
def test_findings_are_three_sentences_that_judge_nothing_unmeasured(name: str) -> None:
    found = said(SETS[name])
    assert list(found) == list(Kind)
    for text in found.values():
        assert text.endswith(".") and "  " not in text and len(text.split()) < 100
        assert not re.search(r"\b(better|best|worse|worst|superior|ideal)\b", text)


def test_a_single_model_has_no_findings() -> None:
    assert findings(Comparison((DEFAULT,))) == ()


def test_equal_models_are_one_sentence() -> None:
    assert findings(Comparison((DEFAULT, DEFAULT.renamed("the other")))) == (
        Finding(Kind.EFFECTS, "a and “the other” are equal in every figure."),
    )


def test_evidence_and_law_name_their_sources() -> None:
    _, evidence, limits = findings(Comparison(TWO))
    for source in ("2006.12467", "2601.20994", "2407.13623", "published models"):
        assert source in evidence.source
    assert "2404.10102" in limits.source


# What differs.


def test_two_models_of_one_size_differ_by_shape() -> None:
    assert effects(*TWO) == (
        "With 6 layers × 272 instead of the 24 × 160 of “25 % embedding”, “45 % embedding” needs 57 % less KV cache "
        "per token, 24 % less training memory and 17 % fewer training FLOPs per token; its embedding ratio is 43.7 % "
        "instead of 25.5 %."
    )


def test_the_difference_is_from_the_baseline() -> None:
    assert effects(*TWO, baseline=1).startswith(
        "With 24 layers × 160 instead of the 6 × 272 of “45 % embedding”, “25 % embedding” needs 2.4 times the KV cache"
    )


def test_the_figures_are_those_of_the_costs() -> None:
    comparison = Comparison(TWO)
    small, large = comparison.line("kv_cache_bytes_per_token").values
    assert isinstance(small, int | float) and isinstance(large, int | float)
    assert f"{100 * (1 - large / small):.0f} % less KV cache" in effects(*TWO)


def test_a_difference_in_size_comes_first_and_costs_in_proportion_are_one_cause() -> None:
    assert effects(DEFAULT, pin_of(ModelConfig(total_params=13_000_000), "b")) == (
        "With 30 % more parameters than a (9 layers × 280 instead of 12 × 216), b needs training FLOPs per token in "
        "proportion."
    )
    large = pin_of(published_model("Llama-3-8B"))
    assert effects(DEFAULT, large).startswith("With 799 times the parameters of a (32 layers × 4,096 instead of 12 × ")
    assert effects(large, DEFAULT).startswith("With 1/799 of the parameters of Llama-3-8B (12 layers × 216 instead of")


def test_a_setting_without_effect_is_said_to_have_none() -> None:
    assert effects(*SETS["a setting"]) == (
        "With the 12 layers × 216 of a, b differs by less than 10 % in compute, KV cache and training memory."
    )


def test_many_models_are_described_by_their_extremes() -> None:
    assert effects(*SHARES) == effects(*TWO)[:-1] + "; “35 % embedding” lies between them."
    assert effects(*SETS["From GPT-2 to Llama at 125M"]) == (
        "With 14 layers × 768 instead of the 12 × 768 of GPT-2, “with 4 KV heads: Llama” needs 61 % less KV cache per "
        "token; the others lie between them."
    )
    three = effects(*SETS["The default design, SmolLM2-135M and Qwen3-0.6B"])
    assert three.startswith("With 59 times the parameters of “10.05M · 12 × 216” (28 layers × 1,024 instead of")
    assert three.endswith("the embedding ratio goes from 21.0 % (SmolLM2-135M) to 34.4 % (“10.05M · 12 × 216”).")
    many = effects(
        *map(pin_of, map(published_model, ("pythia-14m", "stories15M", "gpt2", "Qwen3-0.6B", "Llama-3.2-1B")))
    )
    assert many.count(" goes from ") == 2
    settings = (*SETS["a setting"], pin_of(ModelConfig(dropout=0.2), "c"))
    assert effects(*settings) == "The 3 models differ by less than 10 % in size and in every main cost."


# Evidence.


def test_evidence_tells_a_deep_shape_from_a_shallow_one() -> None:
    assert said(TWO)[Kind.EVIDENCE] == (
        "“25 % embedding” (24 layers; Levine and colleagues predict 9, and Fahim and Karim's preprint finds loss "
        "rising beyond 9 to 12) is deeper than both fits of depth and “45 % embedding” (6 layers; 8, and 12 to 14) "
        "agrees with both fits; both embedding ratios (25.5 to 43.7 %) are above the compute-optimal 11 % of Tao and "
        "colleagues (median of published models near 10M: 77.7 %)."
    )


def test_an_absurd_shape_is_named_with_its_figure() -> None:
    assert (
        "b (1 layer: most published models near 100M have 5 to 30) is outside what published models have"
        in said(SETS["absurd"])[Kind.EVIDENCE]
    )
    odd = pin_of(ModelConfig(total_params=200_000_000), "c")
    assert said((SETS["absurd"][1], odd))[Kind.EVIDENCE].startswith("b (1 layer: ")


def test_models_judged_alike_are_counted() -> None:
    llama = said(SETS["From GPT-2 to Llama at 125M"])[Kind.EVIDENCE]
    assert llama.startswith(
        "All 4 models are shallower than Levine and colleagues' fit; all 4 embedding ratios (30.7 to"
    )
    eight = said(EIGHT)[Kind.EVIDENCE]
    assert "5 models are shallower than Levine and colleagues' fit and BabyLlama-teacher-360M and" in eight
    assert "the embedding ratio (3.1 to 85.9 %) is above in 4 models and near in 4 models." in eight


# Limits.


def test_the_predicted_loss_cannot_rank_shapes_of_one_size() -> None:
    assert said(SHARES)[Kind.LIMITS] == (
        "The predicted loss (5.50, 5.50 and 5.51 nats, in this order) depends on parameters and training tokens alone: "
        "it cannot rank shapes of one size, only training them can."
    )
    assert "(5.50 nats for both)" in said(SETS["a setting"])[Kind.LIMITS]


def test_the_predicted_loss_tells_sizes_apart_at_one_vocabulary() -> None:
    assert said(SETS["absurd"])[Kind.LIMITS].endswith("alone: it tells sizes apart, not shapes.")
    eight = said(EIGHT)[Kind.LIMITS]
    assert eight.startswith("The predicted loss (2.18 to 7.05 nats) depends")
    assert eight.endswith("it tells sizes apart, not shapes, and losses of different vocabularies do not compare.")
