"""Mixtures and latents as text: links, flags, JSON and code give them back; dense models are written as before."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from slimlm.compare.pin_links import read_pin, write_pin
from slimlm.compare.pins import pin_of
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import FROM_CONFIG, NamedModel
from slimlm.export.downloads import components_csv
from slimlm.serialization.code import command_line, python_code
from slimlm.serialization.design_json import named_model_record, request_from_record, to_record
from slimlm.serialization.fields import EXPERTS, to_short_query, values_of
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.solver.solver import solve
from tests.strategies import mixtures

MIXTURE: dict[str, Any] = {"n_experts": 16, "n_shared_experts": 1, "n_dense_layers": 1, "router": "sigmoid"}


@given(mixtures())
@settings(deadline=None)
def test_a_link_gives_a_mixture_back(arch: Architecture) -> None:
    model = NamedModel("mixture", arch, FROM_CONFIG)
    assert read_named_model(write_named_model(model)).architecture == arch
    assert read_pin(write_pin(pin_of(model))).architecture == arch


@given(mixtures())
@settings(deadline=None, max_examples=30)
def test_code_gives_a_mixture_back(arch: Architecture) -> None:
    names: dict[str, Any] = {}
    exec(python_code(NamedModel("mixture", arch, FROM_CONFIG)), names)
    assert names["architecture"] == arch


def test_json_and_commands_give_a_request_back() -> None:
    design = solve(ModelConfig(total_params=30_000_000, **MIXTURE))
    assert request_from_record(json.loads(json.dumps(to_record(design)))) == design.config
    line = command_line(design)
    assert line is not None
    for flag in ("--n-experts 16", "--n-shared-experts 1", "--n-dense-layers 1", "--router sigmoid"):
        assert flag in line


def test_the_table_of_components_has_their_copies() -> None:
    design = solve(ModelConfig(total_params=30_000_000, **MIXTURE))
    rows = {row.split(",")[0]: row for row in components_csv(design).splitlines()}
    assert rows.keys() >= {"dense_ffn", "router", "experts", "shared_experts"}
    assert f",{design.architecture.n_layers - 1}," in rows["experts"]


def test_a_record_of_a_published_mixture_is_data() -> None:
    arch = Architecture(d_model=64, d_ff=32, n_layers=3, n_experts=4, n_dense_layers=1)
    record = named_model_record(NamedModel("mixture", arch, FROM_CONFIG))
    assert record["architecture"]["n_experts"] == 4
    assert record["architecture"]["d_dense"] == 256


@pytest.mark.parametrize("text", [to_record, python_code, command_line])
def test_a_dense_design_says_nothing_of_experts(text: Any) -> None:
    written = str(text(solve(ModelConfig())))
    assert not any(knob.field in written or knob.field.replace("_", "-") in written for knob in EXPERTS)


def test_an_address_holds_what_is_not_at_its_default() -> None:
    query = to_short_query(values_of(ModelConfig(**MIXTURE)))
    assert query == {"n_experts": "16", "n_shared_experts": "1", "n_dense_layers": "1", "router": "sigmoid"}
