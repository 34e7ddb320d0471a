"""The law of the shape is the fit of the published models."""

import math
from statistics import linear_regression

import pytest

from slimlm.core.published import published_models
from slimlm.core.shape_law import ASPECT_AT_100M, EXPONENT, RESIDUAL, published_aspect_ratio


def test_the_constants_are_those_of_a_least_squares_fit() -> None:
    models = published_models()
    sizes = [math.log(model.total_params / 1e8) for model in models]
    aspects = [math.log(model.aspect_ratio) for model in models]
    slope, intercept = linear_regression(sizes, aspects)
    squares = sum((aspect - intercept - slope * size) ** 2 for size, aspect in zip(sizes, aspects, strict=True))
    assert pytest.approx(slope, abs=5e-5) == EXPONENT
    assert pytest.approx(math.exp(intercept), abs=5e-3) == ASPECT_AT_100M
    assert pytest.approx(math.exp(math.sqrt(squares / (len(models) - 2))), abs=5e-4) == RESIDUAL


def test_the_law_passes_near_well_known_models() -> None:
    assert published_aspect_ratio(124_439_808) == pytest.approx(64, rel=0.3), "GPT-2"
    assert published_aspect_ratio(8_030_261_248) == pytest.approx(128, rel=0.2), "Llama 3 8B"
