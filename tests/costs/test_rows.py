"""Rows of costs: complete, in a fixed order, consistent with each other and with the settings."""

from dataclasses import replace

import pytest
from hypothesis import given

from slimlm.core import accounting
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model, published_models
from slimlm.costs import Cost, CostSettings, costs
from slimlm.costs.hardware import ACCELERATORS
from slimlm.utils.validation import field_docs, field_options
from tests.accounts import accounts_built
from tests.strategies import architectures

MOBILE = published_model("MobileLLM-125M").architecture


def rows(arch: Architecture, **chosen: int | float | str) -> dict[str, Cost]:
    found = costs(arch, CostSettings(**chosen))  # type: ignore[arg-type]
    assert len({row.key for row in found}) == len(found)
    return {row.key: row for row in found}


def test_the_account_is_built_once_for_all_costs_and_not_again_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = accounting.account(MOBILE)
    assert accounts_built(lambda: costs(MOBILE), monkeypatch) == 1
    assert accounts_built(lambda: costs(account), monkeypatch) == 0
    assert costs(account) == costs(MOBILE)


@given(architectures())
def test_every_architecture_has_the_same_rows_in_the_same_order(arch: Architecture) -> None:
    found, usual = costs(arch), costs(MOBILE)
    assert [(row.group, row.key, row.name, row.unit) for row in found] == [
        (row.group, row.key, row.name, row.unit) for row in usual
    ]
    groups = [row.group for row in usual]
    assert groups == sorted(groups, key=groups.index), "the rows of a group are side by side"


@pytest.mark.parametrize("model", published_models(), ids=lambda model: model.name)
def test_every_figure_says_what_it_assumes_and_reads_well(model: object) -> None:
    for row in costs(model.architecture):  # type: ignore[attr-defined]
        assert row.assumption
        assert row.text
        assert "e+" not in row.text
        assert row.value > 0 or row.key == "six_n_miss"


def test_figures_of_a_published_model_are_those_that_others_give() -> None:
    found = {key: row.text for key, row in rows(MOBILE).items()}
    assert found["training_flops_per_token"] == "1.17 GFLOP"
    assert found["six_n_flops_per_token"] == "748 MFLOP"
    assert found["six_n_miss"] == "−36.21 %"
    assert found["weights_bf16_bytes"] == "249 MB"
    assert found["kv_cache_bytes_per_token"] == "23.0 kB"
    assert found["training_state_bytes"] == "1.99 GB"
    assert found["chinchilla_tokens"] == "2.493B"
    assert found["loss_nats"] == "3.31 nats"


def test_totals_are_the_sums_of_their_rows() -> None:
    found = rows(MOBILE, accelerator="a100")
    parts = ("training_state_bytes", "activation_bytes", "logits_bytes")
    assert found["training_memory_bytes"].value == sum(found[part].value for part in parts)
    assert found["training_memory_share"].value == found["training_memory_bytes"].value / 80e9
    assert found["training_flops"].value == (found["training_tokens"].value * found["training_flops_per_token"].value)


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("context_length", 512, {"forward_flops_per_token", "kv_cache_bytes", "activation_bytes", "decode_read_bytes"}),
        ("training_tokens", 10**12, {"training_tokens", "loss_nats", "training_flops"}),
        ("training_precision", "fp32", {"activation_bytes", "logits_bytes"}),
        ("batch_size", 1, {"activation_bytes", "logits_bytes"}),
        ("recompute", "full", {"activation_bytes"}),
        ("accelerator", "l4", {"training_memory_share", "training_seconds", "decode_tokens_per_second"}),
        ("accelerators", 8, {"training_seconds"}),
        ("utilisation", 0.2, {"training_seconds", "training_usd"}),
        ("usd_per_hour", 1.0, {"training_usd"}),
        ("decode_precision", "int4", {"decode_read_bytes", "decode_tokens_per_second"}),
        ("cache_precision", "int8", {"kv_cache_bytes_per_token", "kv_cache_bytes", "decode_read_bytes"}),
        ("group_size", 32, {"weights_int8_bytes", "weights_int4_bytes"}),
        ("decode_batch", 4, {"kv_cache_bytes", "decode_read_bytes", "decode_tokens_per_second"}),
    ],
)
def test_every_setting_changes_the_figures_that_depend_on_it_and_says_so(
    setting: str, value: int | float | str, changed: set[str]
) -> None:
    before, after = rows(MOBILE), rows(MOBILE, **{setting: value})
    moved = {key for key in before if before[key].value != after[key].value}
    consequences = {
        "causal_forward_flops_per_token", "training_flops_per_token", "six_n_miss", "training_memory_bytes",
        "training_memory_share", "training_flops", "training_seconds", "training_usd", "logits_bytes",
        "decode_tokens_per_second",
    }  # fmt: skip
    assert changed <= moved <= changed | consequences
    told = {key for key in before if before[key].assumption != after[key].assumption}
    assert told, f"no row says that {setting} is {value}"


def test_scales_of_quantised_weights_are_read_in_decoding() -> None:
    bare, scaled = (rows(MOBILE, decode_precision="int4", **group) for group in ({}, {"group_size": 32}))
    added = scaled["weights_int4_bytes"].value - bare["weights_int4_bytes"].value
    assert scaled["decode_read_bytes"].value - bare["decode_read_bytes"].value == added
    assert "a 16-bit scale for every 32 weights" in scaled["weights_int4_bytes"].assumption


def test_extrapolation_and_assumed_prices_are_marked() -> None:
    small, large = rows(published_model("TinyStories-1M").architecture), rows(MOBILE)
    for key in ("law_tokens", "loss_nats"):
        assert "extrapolated: the model is outside that range" in small[key].assumption
        assert "extrapolated" not in large[key].assumption
        assert "fitted to models of 44M to 16B parameters" in large[key].assumption
    assert "2 USD, an assumed price and not a quote" in large["training_usd"].assumption


def test_half_the_accelerators_take_twice_as_long_and_cost_the_same() -> None:
    one, two = rows(MOBILE), rows(MOBILE, accelerators=2)
    assert one["training_seconds"].value == pytest.approx(2 * two["training_seconds"].value)
    assert one["training_usd"].value == two["training_usd"].value


def test_settings_are_explained_and_name_every_accelerator() -> None:
    assert set(field_options(CostSettings, "accelerator")) == set(ACCELERATORS)
    assert set(field_docs(CostSettings)) == set(CostSettings.__dataclass_fields__)


def test_a_context_beyond_the_model_is_refused() -> None:
    rule = "the model takes max_seq_length=2048 tokens at most; context_length=2048 would work"
    with pytest.raises(ValueError, match=rf"^context_length=4096 is not allowed: {rule}$"):
        costs(MOBILE, CostSettings(context_length=4096))
    assert costs(MOBILE, CostSettings(context_length=2048)) == costs(MOBILE)
    assert costs(replace(MOBILE, max_seq_length=4096), CostSettings(context_length=4096))


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^accelerator='v100' is not allowed: it must be one of 'h100', 'a100'"):
        CostSettings(accelerator="v100")
    with pytest.raises(ValueError, match=r"^utilisation=1\.5 is not allowed: it must be a number between 0\.001 and 1"):
        CostSettings(utilisation=1.5)
