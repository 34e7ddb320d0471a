"""Figures for the tests of charts, and their pictures as the converter draws them: where each text stands."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
import vl_convert
from PIL import ImageFont

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.theme import Figure, for_export
from slimlm.charts.tradeoff import TradeoffPoint, tradeoff_chart
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.solver.solver import BudgetError, solve
from tests import models

REQUESTS = {
    "default": ModelConfig(),
    "untied": ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False, n_heads=12),
    "one layer": ModelConfig(n_layers=1, embedding_ratio=0.6),
    "120 layers": ModelConfig(total_params=60_000_000, n_layers=120),
    "1,500 layers": ModelConfig(total_params=200_000_000, n_layers=1500, embedding_ratio=0.05),
    "slivers": ModelConfig(total_params=3_000_000_000, vocab_size=32_000, embedding_ratio=0.03, max_seq_length=64),
    "10B": ModelConfig(total_params=10**10, vocab_size=128_256, embedding_ratio=0.1, tied_lm_head=False, n_heads=32),
    "nearly all embeddings": ModelConfig(total_params=30_000_000, vocab_size=128_256, embedding_ratio=0.93),
    "long": ModelConfig(total_params=20_000_000, max_seq_length=32_768, multiple_of=8),
    **models.REQUESTS,
}
CHARTS = {"allocation": allocation_chart, "profile": layer_profile_chart}
every_request = pytest.mark.parametrize("name", REQUESTS)
every_chart = pytest.mark.parametrize("kind", [*CHARTS, "tradeoff"])


@cache
def design_of(name: str) -> Design:
    return solve(REQUESTS[name])


@cache
def some_points(name: str = "default") -> tuple[TradeoffPoint, ...]:
    config = REQUESTS[name]
    others = [replace(config, n_heads=n_heads, n_kv_heads=None) for n_heads in (2, 4, 8, 10, 16)]
    others += [replace(config, multiple_of=multiple_of) for multiple_of in (8, 32)]
    points = [TradeoffPoint("as requested", solve(config), chosen=True)]
    for other in others:
        with suppress(BudgetError):
            points.append(TradeoffPoint(f"{other.n_heads} heads, multiples of {other.multiple_of}", solve(other)))
    return tuple(points)


def drawn(kind: str, name: str) -> Figure:
    return tradeoff_chart(some_points(name)) if kind == "tradeoff" else CHARTS[kind](design_of(name))


def rows_of(chart: Figure, group: int = 0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = chart.to_dict()["layer"][group]["data"]["values"]
    return rows


def words_of(chart: Figure) -> str:
    title = chart.to_dict()["title"]
    return " ".join([*title["text"], *title["subtitle"]])


# Pictures, as the converter draws them.


class Text(NamedTuple):
    words: str
    left: float
    right: float
    top: float
    bottom: float


def svg_of(chart: Figure, **export: Any) -> str:
    return vl_convert.vegalite_to_svg(for_export(chart, **export).to_dict())


def view_of(svg: str) -> tuple[float, float]:
    width, height = re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0]
    return float(width), float(height)


def texts_of(svg: str) -> list[Text]:
    found = list(_texts(ET.fromstring(svg), 0.0, 0.0))
    assert found
    return found


def _texts(element: ET.Element, x: float, y: float) -> Iterator[Text]:
    transform = element.get("transform", "")
    move = re.search(r"translate\(([^,)]+),([^)]+)\)", transform)
    if move:
        x, y = x + float(move[1]), y + float(move[2])
    if element.tag.endswith("}text"):
        size = float(element.get("font-size", "11px").removesuffix("px"))
        lines = [line.text or "" for line in element] or [element.text or ""]
        width = max(ImageFont.load_default(size).getlength(line) for line in lines)
        width *= 1.06 if element.get("font-weight") else 1.0
        before = width * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
        after, up, down = width - before, 0.8 * size, 0.25 * size + 17 * (len(lines) - 1)
        if "rotate(-90" in transform or "rotate(270" in transform:
            before, after, up, down = up, down, after, before
        yield Text("\n".join(lines), x - before, x + after, y - up, y + down)
        return
    for child in element:
        yield from _texts(child, x, y)


def assert_well_set(svg: str) -> None:
    width, height = view_of(svg)
    texts = [text for text in texts_of(svg) if text.words]
    for text in texts:
        assert text.left >= -1 and text.right <= width + 1, text
        assert text.top >= -2 and text.bottom <= height + 2, text
    for one, other in itertools.combinations(texts, 2):
        across = min(one.right, other.right) - max(one.left, other.left)
        down = min(one.bottom, other.bottom) - max(one.top, other.top)
        assert across < 2 or down < 3, f"{one} covers {other}"
