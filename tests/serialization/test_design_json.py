"""Saved designs: what is written is read back, and what is no saved design is refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from slimlm.core.config import ModelConfig
from slimlm.serialization.design_json import MAX_BYTES, request_from_record, request_from_text, to_record
from slimlm.solver.solver import solve

ASKED = ModelConfig(total_params=30_000_000, vocab_size=8192, n_layers=9, tied_lm_head=False)


OLD = Path(__file__).parents[1] / "old_design.json"
"""Saved before heads could be grouped and norms, positions and blocks chosen."""


def record() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(to_record(solve(ASKED))))
    return loaded


def test_a_saved_design_gives_its_request_back() -> None:
    assert request_from_record(record()) == ASKED


def test_the_record_lists_every_component_with_its_shapes() -> None:
    parts = {part["key"]: part for part in record()["account"]["components"]}
    assert parts["lm_head"]["shapes"]["lm_head.weight"][0] == 8192
    assert parts["attention"]["copies"] == 9


@pytest.mark.parametrize("broken", [None, [], "text", {}, {"format": "slimlm-design-1"}, {"request": {}}])
def test_what_is_no_saved_design_is_refused(broken: object) -> None:
    with pytest.raises(ValueError, match="not a design saved by slimlm; its JSON would hold format='slimlm-design-1'"):
        request_from_record(broken)


def test_unknown_missing_and_impossible_fields_are_named() -> None:
    extra, short, bad = record(), record(), record()
    extra["request"]["colour"] = "red"
    del short["request"]["vocab_size"]
    bad["request"]["vocab_size"] = "many"
    with pytest.raises(ValueError, match="unknown fields: 'colour'"):
        request_from_record(extra)
    with pytest.raises(ValueError, match="missing fields: 'vocab_size'"):
        request_from_record(short)
    with pytest.raises(ValueError, match="vocab_size='many' is not allowed"):
        request_from_record(bad)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"{", "the file is not JSON: "),
        (b"\xff\xfe\x00", "the file is not UTF-8 text: byte 0 cannot be read"),
        (b"[" * 50_000, "the file is nested too deeply: it must have at most 64 objects and lists in each other"),
        (b" " * (MAX_BYTES + 1), "the file has 100,001 bytes: it must have at most 100,000"),
        (b"[1]", "this is not a design saved by slimlm"),
    ],
)
def test_a_broken_file_is_one_sentence(text: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        request_from_text(text)


def test_a_saved_file_gives_its_request_back() -> None:
    assert request_from_text(json.dumps(record())) == ASKED


def test_a_file_saved_before_the_later_choices_existed_gives_the_same_design() -> None:
    saved = json.loads(OLD.read_text(encoding="utf-8"))
    assert "norm" not in saved["request"]
    design = solve(request_from_text(OLD.read_bytes()))
    assert to_record(design)["architecture"] == {**to_record(design)["architecture"], **saved["architecture"]}
    assert design.total_params == saved["account"]["total_params"] == 30_080_496


@pytest.mark.parametrize("name", ["norm", "n_kv_heads", "position_offset"])
def test_a_later_choice_that_is_missing_takes_its_default(name: str) -> None:
    short = record()
    del short["request"][name]
    assert request_from_record(short) == ASKED
