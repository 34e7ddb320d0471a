"""The estimated cost of a probe, and the strategy that it chooses."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.model.device import Strategy
from slimlm.probing import estimate
from slimlm.probing.estimate import ProbeEstimate, estimate_probe
from slimlm.probing.speed import Speed
from slimlm.solver.solver import BudgetError, solve


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed with 8 GB free."""
    speed = Speed(per_weight=1e-8, per_flop=1e-11, per_layer_build=1e-3, per_layer_run=1e-3)
    monkeypatch.setattr(estimate, "machine_speed", lambda device, precision: speed)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_000_000_000))


@pytest.mark.parametrize(
    ("memory", "seconds", "strategy", "fits", "light"),
    [
        (400, 2.0, "whole", True, True),
        (401, 2.0, "whole", True, False),
        (400, 2.01, "whole", True, False),
        (400, 2.0, "block by block", True, False),
        (900, 0.1, "whole", True, False),
        (901, 0.1, "whole", False, False),
    ],
)
def test_fits_and_is_light(memory: int, seconds: float, strategy: Strategy, fits: bool, light: bool) -> None:
    estimate = ProbeEstimate(memory - 100, 100, 1000, seconds / 4, 3 * seconds / 4, strategy=strategy)
    assert estimate.memory_bytes == memory
    assert (estimate.fits, estimate.is_light) == (fits, light)


def test_the_default_is_light_and_larger_models_take_longer() -> None:
    small, large = (estimate_probe(solve(ModelConfig(total_params=t)).architecture) for t in (10**7, 10**9))
    assert small.is_light
    assert small.strategy == large.strategy == "whole"
    assert large.fits
    assert large.weight_bytes == pytest.approx(4e9, rel=0.01)
    assert large.seconds > 50 * small.seconds


@pytest.mark.parametrize("name", ["Llama-2-7b", "Llama-3-8B"])
def test_what_does_not_fit_whole_goes_block_by_block(name: str) -> None:
    arch = published_model(name).architecture
    estimates = [estimate_probe(arch, dtype=dtype) for dtype in ("float32", "bfloat16")]
    assert [estimate.strategy for estimate in estimates] == ["block by block"] * 2
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
    assert estimate.strategy == "whole" or total_params > 1e9


def test_a_limit_counts_as_free_memory() -> None:
    arch = solve(ModelConfig()).architecture
    limited = estimate_probe(arch, max_memory=60_000_000)
    assert (limited.strategy, limited.fits, limited.free_bytes) == ("block by block", True, 60_000_000)
    assert estimate_probe(arch, max_memory=10**15).free_bytes == 8_000_000_000
    assert (estimate_probe(arch, max_memory=1).fits, estimate_probe(arch, max_memory=1).strategy) == (
        False,
        "slice by slice",
    )


SHAPE: dict[str, Any] = {"vocab_size": 256, "max_seq_length": 16, "n_heads": 1, "d_model": 8, "d_ff": 8}
DEEP = Architecture(**SHAPE, n_layers=1_000_000)


def test_a_deep_model_counts_its_modules_and_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**12))
    whole = estimate_probe(DEEP)
    assert whole.strategy == "whole"
    assert 40e9 < whole.module_bytes < 60e9  # a block is some 45 kB of Python objects
    assert whole.memory_bytes > 10 * whole.weight_bytes
    assert whole.build_seconds == pytest.approx(1000)
    assert whole.seconds == whole.build_seconds + whole.initialise_seconds + whole.run_seconds


def test_a_deep_model_that_does_not_fit_whole_holds_one_block() -> None:
    streamed = estimate_probe(DEEP, max_memory=8 * 10**9)
    assert (streamed.strategy, streamed.fits, streamed.is_light) == ("block by block", True, False)
    assert streamed.memory_bytes < 1e6
    assert streamed.seconds > 1000
    assert not estimate_probe(DEEP, max_memory=50_000).fits


def test_shares_of_the_time_add_up() -> None:
    estimate = ProbeEstimate(1, 0, 10**9, initialise_seconds=3.0, run_seconds=4.0, build_seconds=1.0)
    assert (estimate.build_share, estimate.run_share) == (1 / 8, 1 / 2)


MODULES = """
import json, sys
import psutil
from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel

def held():  # without files, such as torch's libraries, whose pages a busy machine takes back
    memory = psutil.Process().memory_info()
    return memory.rss - getattr(memory, "shared", 0)

shape = json.loads(sys.argv[1])
first = LanguageModel(Architecture(n_layers=20, **shape))
before = held()
model = LanguageModel(Architecture(n_layers=500, **shape))
print(held() - before)
"""


@pytest.mark.parametrize(
    "structure", [{}, {"bias": "all", "qk_norm": "full", "block": "sandwich_norm"}, {"norm": "rmsnorm", "ffn": "gelu"}]
)
def test_modules_take_the_memory_that_is_estimated(structure: dict[str, Any]) -> None:
    shape = SHAPE | structure
    command = [sys.executable, "-c", MODULES, json.dumps(shape)]  # in a fresh interpreter no memory is reused
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    estimate = estimate_probe(Architecture(n_layers=500, **shape))
    assert 0.8 < (estimate.module_bytes + estimate.weight_bytes) / int(out.stdout) < 1.3
