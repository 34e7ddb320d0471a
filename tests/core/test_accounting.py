"""The account equals the real module, tensor by tensor, and the closed form."""

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given, settings

from slimlm.core.accounting import EMBEDDING_RATIO_DEFINITION, Account, Component, account, count_total
from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from tests.strategies import architectures, closed_form

KEYS = ["token_embedding", "position_embedding", "attention", "ffn", "norms", "final_norm", "lm_head"]


def expanded(component: Component) -> dict[str, tuple[int, ...]]:
    """Give every copy of a component's tensors the number of its layer."""
    layers = range(component.copies) if component.per_layer else [None]
    return {name.replace("*", str(layer)): shape for layer in layers for name, shape in component.shapes.items()}


@given(architectures())
@settings(deadline=None, max_examples=60)
def test_tensors_are_those_of_the_real_module(architecture: Architecture) -> None:
    model = LanguageModel(architecture, device="meta")
    real = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    found = account(architecture)
    listed: dict[str, tuple[int, ...]] = {}
    for component in found.components:
        tensors = expanded(component)
        assert not tensors.keys() & listed.keys(), "a tensor belongs to one component"
        assert component.params == sum(prod(real[name]) for name in tensors), component.key
        listed |= tensors
    assert listed == real
    assert len({part.key for part in found.components}) == len(KEYS)
    assert found.total_params == sum(parameter.numel() for parameter in model.parameters())


@given(architectures(max_layers=200))
@settings(deadline=None)
def test_counts_follow_the_closed_form(architecture: Architecture) -> None:
    arch, found = architecture, account(architecture)
    expected = closed_form(arch, arch.d_model, arch.d_ff, arch.n_layers)
    assert found.total_params == count_total(architecture) == expected
    one_more = closed_form(arch, arch.d_model, arch.d_ff, arch.n_layers + 1)
    assert found.layer_params == one_more - expected


@given(architectures())
@settings(deadline=None)
def test_formulas_evaluate_to_the_count_of_one_copy(architecture: Architecture) -> None:
    names = architecture.concrete()
    for component in account(architecture).components:
        python = component.formula.removesuffix(" (tied)").replace("·", "*").replace("²", "**2")
        assert eval(python, names) == component.copy_params, component.key


def test_the_default_architecture_has_the_formulas_of_the_specification() -> None:
    found = account(Architecture(d_model=216, d_ff=544, n_layers=12, tied_lm_head=False))
    assert [part.formula for part in found.components] == [
        "vocab_size · d_model",
        "max_seq_length · d_model",
        "4 · d_model²",
        "3 · d_model · d_ff",
        "4 · d_model",
        "2 · d_model",
        "vocab_size · d_model",
    ]


@given(architectures(max_layers=200))
@settings(deadline=None)
def test_shares_sum_to_one_and_the_ratio_follows_its_definition(architecture: Architecture) -> None:
    found = account(architecture)
    assert sum(component.share for component in found.components) == pytest.approx(1, abs=1e-12)
    assert all(part.share == pytest.approx(part.params / found.total_params) for part in found.components)
    tables = 1 if architecture.tied_lm_head else 2
    vocabulary = tables * architecture.vocab_size * architecture.d_model
    assert found.embedding_ratio == pytest.approx(vocabulary / found.total_params)


def default(tied: bool) -> Account:
    return account(Architecture(d_model=216, d_ff=544, n_layers=12, tied_lm_head=tied))


@pytest.mark.parametrize("tied", [True, False])
def test_components_come_in_the_order_in_which_a_token_meets_them(tied: bool) -> None:
    assert [component.key for component in default(tied).components] == KEYS


def test_a_tied_head_stays_as_a_zero_row_with_its_reason() -> None:
    head = default(tied=True)["lm_head"]
    assert (head.params, head.share, head.shapes) == (0, 0.0, {})
    assert head.note == "tied to the token embedding"
    assert head.formula == "0 (tied)"


def test_an_untied_head_is_a_second_table_and_counts_in_the_ratio() -> None:
    tied, untied = default(tied=True), default(tied=False)
    assert untied["lm_head"].params == untied["token_embedding"].params == 16_000 * 216
    assert untied["lm_head"].note == ""
    assert untied.total_params - tied.total_params == 16_000 * 216
    assert tied.embedding_ratio == pytest.approx(3_456_000 / 10_047_024)
    assert untied.embedding_ratio == pytest.approx(2 * 3_456_000 / 13_503_024)


def test_position_embeddings_are_no_part_of_the_embedding_ratio() -> None:
    architecture = Architecture(d_model=216, d_ff=544, n_layers=12)
    longer = account(replace(architecture, max_seq_length=2 * 512))
    assert longer.embedding_ratio == pytest.approx(3_456_000 / (10_047_024 + 512 * 216))
    assert EMBEDDING_RATIO_DEFINITION == (
        "share of parameters in vocabulary-sized tables (embedding, LM head if untied)"
    )


def test_only_zero_rows_have_a_note() -> None:
    bare = {"positions": "none", "norm": "layernorm_no_params", "lm_head_bias": True}
    without = account(replace(default(tied=True).architecture, **bare))  # type: ignore[arg-type]
    components = default(tied=True).components + default(tied=False).components + without.components
    assert [part.key for part in without.components if part.note] == ["position_embedding", "norms", "final_norm"]
    assert all(bool(component.note) == (component.params == 0) for component in components)


def test_per_layer_components_have_a_copy_in_every_layer() -> None:
    found = default(tied=True)
    assert {part.key: part.copies for part in found.components if part.per_layer} == dict.fromkeys(
        ["attention", "ffn", "norms"], 12
    )
    assert {part.copies for part in found.components if not part.per_layer} == {1}
    assert found["ffn"].copy_params == 3 * 216 * 544
