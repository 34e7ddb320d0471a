"""Charts that keep their view on a page: the same specification for every design, and the same picture."""

import json
import re
from typing import Any

import pytest
import vl_convert

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.incremental import separate_data
from slimlm.charts.theme import for_export
from slimlm.core.captions import describe_allocation
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import Subject
from slimlm.core.published import published_model
from slimlm.solver.solver import solve

OTHERS: dict[str, Subject] = {
    "untied": solve(ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False, n_heads=12)),
    "10B": solve(ModelConfig(total_params=10**10, vocab_size=128_256, embedding_ratio=0.1, n_heads=32)),
    "long name": published_model("OLMo-1B-hf"),
}
every_subject = pytest.mark.parametrize("name", OTHERS)


def pictured(specification: dict[str, Any]) -> list[str]:
    """Return every shape and text of a picture with its place and style; layers are numbered otherwise."""
    svg = vl_convert.vegalite_to_svg(specification)
    assert "<text" in svg
    return re.findall(r"<(?:path|text)[^>]*>[^<]*", svg)


@every_subject
def test_the_picture_is_that_of_the_figure_under_a_cover_that_says_it_in_words(name: str) -> None:
    figure = for_export(allocation_chart(OTHERS[name]))
    specification, data = separate_data(figure)
    page, cover, *rest = pictured(specification | {"datasets": data})
    assert [page, *rest] == pictured(figure.to_dict())
    words = describe_allocation(OTHERS[name]).replace("<", "&lt;")
    assert f'aria-label="{words}"' in cover and 'opacity="0"' in cover


@every_subject
def test_a_design_changes_the_data_alone(name: str) -> None:
    specification, data = separate_data(allocation_chart(OTHERS[name]))
    default, default_data = separate_data(allocation_chart(solve(ModelConfig())))
    assert json.dumps(specification) == json.dumps(default)
    assert list(data) == list(default_data) == ["rows_0", "rows_1", "heading"]
    assert all(data[table] != default_data[table] for table in data)
