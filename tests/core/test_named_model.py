"""Models that nobody asked for: the request that brings them about, their links and their records."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model, published_models
from slimlm.interop.hf import import_config
from slimlm.interop.hf.import_config import hf_named_model, name_in
from slimlm.serialization.design_json import named_model_record, request_from_record
from slimlm.solver.inverse import nearest_request, request_like
from slimlm.solver.solver import solve
from slimlm.utils.files import read_bytes
from slimlm.utils.formatting import parse_number
from tests.models import ARCHITECTURES
from tests.strategies import architectures

every_published = pytest.mark.parametrize("name", [model.name for model in published_models()])
SMALL = Architecture(d_model=216, d_ff=544, n_layers=12)


@every_published
def test_the_request_of_a_published_model_gives_back_the_same_model(name: str) -> None:
    architecture = published_model(name).architecture
    request = request_like(architecture)
    design = solve(request)
    assert design.architecture == architecture
    assert design.total_params == request.total_params == published_model(name).published_params
    # A link writes ten significant digits and reads six decimals.
    linked = {key: parse_number(f"{getattr(request, key):.10g}") for key in ("embedding_ratio", "glu_expansion")}
    assert replace(request, **linked) == request  # type: ignore[arg-type]


@given(architectures())
@settings(deadline=None, max_examples=60)
def test_the_request_of_any_architecture_gives_it_back_or_there_is_none(architecture: Architecture) -> None:
    try:
        request = request_like(architecture)
    except ValueError as error:
        assert str(error).startswith("no request gives exactly this architecture: its embedding ratio ")
        asked = nearest_request(architecture)
        total, tables = asked.total_params, asked.vocabulary_tables * asked.vocab_size
        far = (
            not 0.0001 <= tables * architecture.d_model / total <= 0.9999
            or not 0.01 <= architecture.glu_expansion <= 1000
        )
        assert far or total > 10**6 * tables  # six decimals of the ratio leave d_model open
        return
    assert solve(request).architecture == architecture
    assert request.dropout == architecture.dropout


def test_the_request_leaves_open_what_follows_from_the_rest() -> None:
    assert request_like(SMALL) == ModelConfig(
        total_params=10_047_024, embedding_ratio=0.343982, glu_expansion=2.518519, n_layers=12
    )
    gemma = request_like(ARCHITECTURES["gemma"])
    assert (gemma.n_kv_heads, gemma.head_dim) == (1, 256)


def test_an_architecture_beyond_a_requests_limits_has_none() -> None:
    wide = Architecture(d_model=8, d_ff=16_384, n_layers=1)
    with pytest.raises(ValueError, match=r"its expansion 2048 is beyond the limits or the six decimals of a request$"):
        request_like(wide)
    assert nearest_request(wide).glu_expansion == 1000


def test_a_config_is_read_with_its_remarks() -> None:
    config = {"model_type": "mistral", "rope_scaling": {"type": "linear"}, "_name_or_path": "someone/small/"}
    found = hf_named_model(config, name_in(config))
    assert (found.name, found.origin) == ("small", "From a config.json")
    assert found.remarks == ('rescaled rotary positions (rope_type="linear")',)
    assert name_in({"model_type": "gpt2"}) == "gpt2"
    assert name_in({"_name_or_path": 3}) == ""


def test_a_config_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "gpt2"}', encoding="utf-8")
    assert hf_named_model(file, "mine").total_params == published_model("gpt2").total_params


def test_the_record_loads_as_a_design_that_asks_for_the_model() -> None:
    named_model = published_model("gemma-3-270m")
    record = json.loads(json.dumps(named_model_record(named_model)))
    assert (record["name"], record["origin"]) == ("gemma-3-270m", "Published 2025")
    assert record["remarks"][0].startswith("RMSNorm multiplies by 1 + weight")
    assert solve(request_from_record(record)).architecture == named_model.architecture


def test_a_config_file_is_opened_and_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "mistral", "rope_scaling": {"type": "linear"}}', encoding="utf-8")
    opened: list[Path] = []

    def read(path: Path, what: str, most: int) -> bytes:
        opened.append(path)
        return read_bytes(path, what, most)

    monkeypatch.setattr(import_config, "read_bytes", read)
    assert hf_named_model(file, "mine").remarks
    assert opened == [file]
