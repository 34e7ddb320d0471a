"""Comparisons: values, differences and assumptions."""

from dataclasses import fields, replace

import pytest

from slimlm.compare.comparison import Comparison, longest_context
from slimlm.compare.line import Line
from slimlm.compare.pins import Pin, pin_of
from slimlm.compare.presets import preset_pins
from slimlm.core.accounting import account
from slimlm.core.architecture import NEWEST_FIELDS, Architecture
from slimlm.core.named_model import NamedModel
from slimlm.core.names import COMPONENT_NAMES
from slimlm.core.published import published_model
from slimlm.costs import CostSettings, costs
from slimlm.costs.quantities import COST_QUANTITIES
from slimlm.costs.shape import SHAPE_QUANTITIES
from slimlm.export.comparison_tables import assumptions_table
from tests.accounts import accounts_built

THREE = preset_pins("The default design, SmolLM2-135M and Qwen3-0.6B")
OF_EXPERTS = {"dense_ffn", "router", "experts", "shared_experts"}
COUNTS = [f"{key}_params" for key in COMPONENT_NAMES if key not in OF_EXPERTS]


def lines_of(comparison: Comparison) -> dict[str, Line]:
    return {line.key: line for line in comparison.lines}


def line(*values: float | str | None) -> Line:
    return Line(quantity=SHAPE_QUANTITIES["n_layers"], group="Shape", values=values)


# Figures.


def test_every_field_of_an_architecture_and_every_component_is_a_line() -> None:
    found = lines_of(Comparison(THREE))
    assert found.keys() >= {field.name for field in fields(Architecture)} - NEWEST_FIELDS | set(COUNTS)
    assert not found.keys() & NEWEST_FIELDS
    assert len(found) == len(Comparison(THREE).lines)
    for pin in THREE:
        assert {part.key for part in pin.subject.account.components} == COMPONENT_NAMES.keys() - OF_EXPERTS
    assert not found.keys() & {"active_params", *(f"{key}_params" for key in OF_EXPERTS)}


def test_experts_are_lines_where_a_model_has_them() -> None:
    dense = Architecture(d_model=64, d_ff=128, n_layers=6)
    mixture = replace(dense, d_ff=32, n_experts=8, n_shared_experts=1, n_dense_layers=1, router="sigmoid")
    pins = (Pin(dense, "dense"), Pin(mixture, "mixture"))
    found = lines_of(Comparison(pins))
    assert found["n_experts"].texts == ("0", "8")
    assert found["router"].texts == ("Softmax", "Sigmoid")
    assert found["active_params"].values == tuple(account(arch).active_params for arch in (dense, mixture))
    assert found["ffn_params"].values == (account(dense)["ffn"].params, 0)
    assert found["experts_params"].values == (0, account(mixture)["experts"].params)
    experts = "the 2 of 8 routed experts that a token uses"
    assert found["forward_flops_per_token"].own_assumptions(1) == (experts,)


def test_windows_caps_and_factors_are_lines_where_a_model_has_them() -> None:
    plain = Architecture(d_model=64, d_ff=128, n_layers=6, positions="rope")
    windowed = replace(plain, window=128, layer_pattern="wwf", attention_scale=0.0625, embedding_scale=8.0)
    found = lines_of(
        Comparison(tuple(pin_of(NamedModel(f"m{n}", arch, "a test")) for n, arch in enumerate((plain, windowed))))
    )
    assert found["window"].texts == ("–", "128")
    assert found["window"].difference(1, 0) == ""
    assert found["layer_pattern"].texts == ("f", "wwf")
    assert found["attention_scale"].texts == ("–", "0.0625")
    assert found["embedding_scale"].texts == ("1", "8")
    assert found.keys() & NEWEST_FIELDS == windowed.changed().keys() & NEWEST_FIELDS
    reach = "4 of 6 layers attend to 128 tokens at most"
    assert found["forward_flops_per_token"].own_assumptions(1) == (reach,)
    assert not found["forward_flops_per_token"].own_assumptions(0)


def test_loops_are_a_line_where_a_model_has_them() -> None:
    looped = Pin(Architecture(d_model=64, d_ff=64, n_layers=3, n_loops=3), "looped")
    assert lines_of(Comparison((looped, THREE[0])))["n_loops"].values == (3, 1)
    assert "n_loops" not in lines_of(Comparison(THREE))


def test_values_are_those_of_the_models() -> None:
    found = lines_of(Comparison(THREE))
    for place, pin in enumerate(THREE):
        arch = pin.architecture
        for name in ("n_layers", "d_model", "d_ff", "n_kv_heads", "vocab_size", "norm", "tied_lm_head"):
            assert found[name].values[place] == arch.concrete()[name]
        assert sum(found[key].values[place] for key in COUNTS) == pin.subject.total_params  # type: ignore[misc]
        assert found["total_params"].values[place] == pin.subject.total_params
    assert found["rope_theta"].texts == ("–", "100,000", "1,000,000")
    assert found["norm"].texts == ("LayerNorm", "RMSNorm", "RMSNorm")


def test_costs_are_compared_at_a_context_that_every_model_takes() -> None:
    comparison = Comparison(THREE)
    assert longest_context(THREE) == comparison.terms.context_length == 512
    found = lines_of(comparison)
    for place, pin in enumerate(THREE):
        for row in costs(pin.architecture, CostSettings(context_length=512)):
            assert found[row.key].values[place] == row.value
            assert found[row.key].texts[place] == row.text


def test_each_model_is_accounted_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tuple(Pin(replace(pin.architecture, dropout=0.125), pin.name) for pin in THREE)
    assert accounts_built(lambda: Comparison(pins).lines, monkeypatch) == len(pins)


def test_costs_follow_their_settings_and_the_terms_say_them() -> None:
    settings = CostSettings(context_length=128, accelerator="a100", utilisation=0.3, usd_per_hour=1.5, accelerators=8)
    comparison = Comparison(THREE, settings=settings)
    assert comparison.terms_line == (
        "Costs at a context of 128 tokens · training on 20 tokens per parameter with 8 × NVIDIA A100 80GB SXM at 30 % "
        "of its peak and 1.5 USD an hour · batch of 8 sequences · decoding in bf16"
    )
    assert (
        "training on 300.0B tokens with"
        in replace(comparison, settings=CostSettings(training_tokens=3 * 10**11)).terms_line
    )
    assert lines_of(comparison)["training_usd"].values != lines_of(Comparison(THREE))["training_usd"].values


def test_a_context_that_a_model_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match=r"context_length=513 is not allowed: the model takes max_seq_length=512"):
        _ = Comparison(THREE, settings=CostSettings(context_length=513)).lines


def test_a_baseline_is_one_of_the_models() -> None:
    for baseline in (-1, 3):
        with pytest.raises(ValueError, match=rf"baseline={baseline} is not allowed: it must be the index of one of 3"):
            Comparison(THREE, baseline)


# Differences.


@pytest.mark.parametrize(
    ("value", "base", "said"),
    [
        (12, 12, "="),
        (18, 12, "+6 · +50.0 %"),
        (6, 12, "−6 · −50.0 %"),
        (1201, 1200, "+1 · +0.1 %"),
        (120_001, 120_000, "+1 · ±0 %"),
        (120_000, 120_001, "−1 · ±0 %"),
        (23, 12, "+11 · +91.7 %"),
        (24, 12, "+12 · ×2"),
        (54, 12, "+42 · ×4.5"),
        (120, 12, "+108 · ×10"),
        (150_000, 12, "+149,988 · ×12,500"),
        (2, 12, "−10 · −83.3 %"),
        (1, 12, "−11 · ÷12"),
        (5, 0, "+5"),
        (0, 5, "−5"),
        ("rope", "learned", ""),
        (None, 5, ""),
        (5, None, ""),
        (None, None, "="),
    ],
)
def test_a_difference_is_absolute_and_relative_where_both_say_something(
    value: float | str | None, base: float | str | None, said: str
) -> None:
    assert line(value, base).difference(0, 1) == said


def test_switches_have_no_difference_in_numbers() -> None:
    assert line(True, False).change(0, 1) is None


def test_shares_differ_by_points() -> None:
    found = lines_of(Comparison(THREE))
    assert found["embedding_ratio"].difference(1, 0) == "−13.4 points"
    assert found["six_n_miss"].difference(1, 0).endswith(" points")
    assert found["embedding_ratio"].relative(1, 0) is None


def test_differences_are_measured_from_the_chosen_baseline() -> None:
    found = lines_of(Comparison(THREE, baseline=2))["n_layers"]
    assert [found.difference(place, 2) for place in range(3)] == ["−16 · −57.1 %", "+2 · +7.1 %", "="]


def test_what_rounds_to_nothing_is_a_zero() -> None:
    def said(key: str, value: float, base: float) -> str:
        quantity = (SHAPE_QUANTITIES | COST_QUANTITIES)[key]
        return Line(quantity=quantity, group="", values=(value, base)).difference(0, 1)

    assert said("loss_nats", 5.4968, 5.5) == "−0.1 %"
    assert said("loss_nats", 5.4999, 5.5) == "±0"
    assert said("embedding_ratio", 0.3104, 0.3101) == "±0"
    assert said("training_usd", 0.018, 0.02) == "−10.0 %"
    assert line(120_001, 120_000).is_unchanged(1, 1) and not line(6, 12).is_unchanged(0, 1)


def test_lines_in_which_all_agree_are_told_apart() -> None:
    comparison = Comparison(THREE)
    equal = {found.key for found in comparison.equal_lines}
    assert {"tied_lm_head", "ffn", "bias", "lm_head_params", "lm_head_bias"} <= equal
    assert not {"n_layers", "norm", "n_kv_heads", "training_flops"} & equal
    assert all(len(set(lines_of(comparison)[key].values)) == 1 for key in equal)


def test_what_figures_assume_is_said_once_for_all_and_then_of_some() -> None:
    tokens = lines_of(Comparison(THREE))["law_tokens"]
    assert tokens.shared_assumptions[0].startswith("no other model size has a lower predicted loss")
    assert tokens.own_assumptions(0) == ("extrapolated: the model is outside that range",)
    assert tokens.own_assumptions(1) == ()
    table = assumptions_table(Comparison(THREE))
    assert "vocabulary of 32k; 10.05M · 12 × 216: extrapolated: the model is outside that range<" in table
    assert all(found.name.replace("'", "&#39;") in table for found in Comparison(THREE).lines if found.assumptions)


def test_a_long_list_of_names_is_no_title() -> None:
    pins = tuple(pin_of(published_model(name)) for name in ("gpt2", "opt-125m", "SmolLM2-135M", "Qwen3-0.6B"))
    assert Comparison(pins).title == "gpt2, opt-125m, SmolLM2-135M and Qwen3-0.6B side by side"
    assert Comparison((*pins, *THREE[:1])).title == "5 models side by side"
