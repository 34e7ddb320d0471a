"""What a probe is expected to take, and which way it is sent."""

from types import SimpleNamespace

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import account
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.model.device import Way
from slimlm.probing import estimate
from slimlm.probing.estimate import ProbeEstimate, estimate_probe
from slimlm.probing.speed import Speed
from slimlm.solver.solver import BudgetError, solve


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed with 8 GB free."""
    speed = Speed(per_weight=1e-8, per_flop=1e-11, per_layer=1e-3)
    monkeypatch.setattr(estimate, "machine_speed", lambda device, precision: speed)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_000_000_000))


@pytest.mark.parametrize(
    ("memory", "seconds", "way", "fits", "light"),
    [
        (400, 2.0, "whole", True, True),
        (401, 2.0, "whole", True, False),
        (400, 2.01, "whole", True, False),
        (400, 2.0, "block by block", True, False),
        (900, 0.1, "whole", True, False),
        (901, 0.1, "whole", False, False),
    ],
)
def test_fits_and_is_light(memory: int, seconds: float, way: Way, fits: bool, light: bool) -> None:
    estimate = ProbeEstimate(memory - 100, 100, 1000, seconds / 4, 3 * seconds / 4, way=way)
    assert estimate.memory_bytes == memory
    assert (estimate.fits, estimate.is_light) == (fits, light)


def test_the_default_is_light_and_larger_models_take_longer() -> None:
    small, large = (estimate_probe(solve(ModelConfig(total_params=t)).architecture) for t in (10**7, 10**9))
    assert small.is_light
    assert small.way == large.way == "whole"
    assert large.fits
    assert large.weight_bytes == pytest.approx(4e9, rel=0.01)
    assert large.seconds > 50 * small.seconds


@pytest.mark.parametrize("name", ["Llama-2-7b", "Llama-3-8B"])
def test_what_does_not_fit_whole_goes_block_by_block(name: str) -> None:
    arch = published_model(name).architecture
    estimates = [estimate_probe(arch, dtype=dtype) for dtype in ("float32", "bfloat16")]
    assert [estimate.way for estimate in estimates] == ["block by block"] * 2
    assert all(estimate.fits for estimate in estimates)
    assert estimates[0].weight_bytes == 2 * estimates[1].weight_bytes
    assert account(arch).layer_params * 4 <= estimates[0].weight_bytes < 1.1e9


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    total_params=st.integers(1_000_000, 10**11),
    vocab_size=st.integers(256, 262_144),
    embedding_ratio=st.floats(0.001, 0.9),
    n_layers=st.sampled_from([None, 1]),
)
def test_any_design_up_to_a_hundred_billion_fits_into_a_laptop(
    total_params: int, vocab_size: int, embedding_ratio: float, n_layers: int | None
) -> None:
    try:
        design = solve(
            ModelConfig(
                total_params=total_params,
                vocab_size=vocab_size,
                embedding_ratio=embedding_ratio,
                n_layers=n_layers,
                n_heads="auto",
            )
        )
    except BudgetError:
        return
    estimate = estimate_probe(design.architecture)
    assert estimate.fits
    assert estimate.way == "whole" or total_params > 1e9


def test_a_limit_counts_as_free_memory() -> None:
    arch = solve(ModelConfig()).architecture
    limited = estimate_probe(arch, max_memory=60_000_000)
    assert (limited.way, limited.fits, limited.free_bytes) == ("block by block", True, 60_000_000)
    assert estimate_probe(arch, max_memory=10**15).free_bytes == 8_000_000_000
    assert (estimate_probe(arch, max_memory=1).fits, estimate_probe(arch, max_memory=1).way) == (
        False,
        "slice by slice",
    )
