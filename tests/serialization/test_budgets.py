"""Budgets and loops as text: links, flags, code and files hold them, and leave them out at their default."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slimlm
from slimlm.cli.main import main
from slimlm.compare.pin_links import read_pin, write_pin
from slimlm.compare.pins import Pin
from slimlm.core.architecture import Architecture
from slimlm.core.budget_text import budget_amount, budget_params, read_bytes, write_bytes
from slimlm.core.config import UNWRITTEN_FIELDS, ModelConfig, written
from slimlm.core.named_model import FROM_CONFIG, NamedModel
from slimlm.serialization.code import command_line, python_code
from slimlm.serialization.design_json import request_from_record, to_record
from slimlm.serialization.fields import KNOBS, to_query, to_short_query, total_knob, values_of
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.solver.solver import solve

BYTES = ModelConfig(total_params=16_000_000, budget="bytes", budget_precision="bf16", n_loops=3)
OTHERS = ModelConfig(total_params=1_300_000, budget="non_embedding", embedding_ratio=0.6)

configs = st.builds(
    ModelConfig,
    budget=st.sampled_from(["total", "non_embedding", "active", "bytes"]),
    budget_precision=st.sampled_from(["int8", "bf16", "fp32", "int4"]),
    n_loops=st.integers(1, 1000),
)


@given(configs)
def test_a_link_and_a_file_give_the_request_again(config: ModelConfig) -> None:
    for query in (to_query(values_of(config)), to_short_query(values_of(config))):
        assert ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in query.items()}) == config  # type: ignore[arg-type]
        assert UNWRITTEN_FIELDS & query.keys() == {
            name for name in UNWRITTEN_FIELDS if getattr(config, name) != KNOBS[name].default
        }
    assert ModelConfig(**written(asdict(config))) == config
    assert read_pin(write_pin(Pin(config, "one"))).held == config


def test_nothing_new_is_written_of_a_request_of_an_earlier_version() -> None:
    design = solve(ModelConfig())
    record = to_record(design)
    assert not UNWRITTEN_FIELDS & (record["request"].keys() | record["architecture"].keys())
    assert request_from_record(record) == design.config
    texts = (python_code(design), command_line(design) or "", str(to_query(values_of(design.config))))
    assert not [word for text in texts for word in ("budget", "loops") if word in text]


@pytest.mark.parametrize("config", [BYTES, OTHERS])
def test_code_a_file_and_a_command_give_the_design_again(
    config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    design = solve(config)
    names: dict[str, Any] = {}
    exec(python_code(design), names)
    assert names["design"] == design
    assert request_from_record(to_record(design)) == config
    command = command_line(design)
    assert command is not None
    assert main(command.split()[3:]) == 0
    assert slimlm.format_param_table(design) in capsys.readouterr().out


def test_a_command_names_the_budget() -> None:
    command = command_line(solve(BYTES)) or ""
    assert command.startswith("python -m slimlm design 16M ")
    assert command.endswith("--n-loops 3 --budget bytes --budget-precision bf16")
    assert (command_line(solve(OTHERS)) or "").endswith("--budget non_embedding")


def test_the_command_line_says_what_the_budget_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "16M", "--budget", "bytes"]) == 0
    assert "Target            16,000,000  bytes in int8\n" in capsys.readouterr().out
    assert main(["design", "1000", "--budget", "non_embedding"]) == 2
    assert "total_params=1,000 (non-embedding parameters) clashes with" in capsys.readouterr().err
    assert main(["design", "10M", "--budget", "layers"]) == 2
    assert "budget='layers' is not allowed: it must be one of 'total', " in capsys.readouterr().err


def test_a_looped_model_in_a_link() -> None:
    looped = NamedModel("looped", Architecture(d_model=64, d_ff=64, n_layers=3, n_loops=3), FROM_CONFIG)
    text = write_named_model(looped)
    assert "n_loops-3" in text
    assert read_named_model(text).architecture == looped.architecture
    exec(python_code(looped), names := {})  # type: ignore[var-annotated]
    assert names["architecture"] == looped.architecture


@given(st.integers(1, 10**15))
@settings(max_examples=200)
def test_bytes_are_read_as_they_are_written(value: int) -> None:
    assert read_bytes(write_bytes(value)) == value
    knob = total_knob("bytes", "int8")
    assert knob.from_text(knob.display(value)) == value


@pytest.mark.parametrize("text", ["16 MiB", "MB", "", "-5 MB", "0.5 bytes"])
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size|is not a whole number"):
        read_bytes(text)


def test_budgets_in_words() -> None:
    assert [budget_amount(config) for config in (ModelConfig(), OTHERS, BYTES)] == [
        "10M", "1.3M non-embedding", "16 MB in bf16",
    ]  # fmt: skip
    assert [budget_params(config) for config in (ModelConfig(), OTHERS, BYTES)] == [
        "10M parameters", "1.3M non-embedding parameters", "16 MB in bf16",
    ]  # fmt: skip
