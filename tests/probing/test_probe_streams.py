"""A probe in parts: block by block, slice by slice, and within the memory there is."""

import json
import re
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from slimlm.core.config import ModelConfig
from slimlm.model.device import Precision, Strategy
from slimlm.probing import probe as probing
from slimlm.probing.estimate import ProbeEstimate, estimate_probe
from slimlm.probing.probe import probe
from slimlm.solver.solver import solve
from tests.probing.test_probe import SMALL, StopError, failed

# Block by block, and slice by slice


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_block_by_block_reports_the_results_of_the_whole_model(dtype: Precision) -> None:
    arch = solve(ModelConfig(tied_lm_head=False)).architecture
    enough = estimate_probe(arch, dtype=dtype).memory_bytes
    whole, streamed = probe(arch, dtype=dtype), probe(arch, dtype=dtype, max_memory=enough)
    assert (whole.strategy, streamed.strategy) == ("whole", "block by block")
    assert streamed.dtype == whole.dtype == dtype
    assert streamed.loss == pytest.approx(whole.loss, abs=1e-6)
    assert streamed.later_change == pytest.approx(whole.later_change, rel=1e-5)
    assert streamed.counted == whole.counted
    assert failed(streamed) == set()


def choose(monkeypatch: pytest.MonkeyPatch, strategy: Strategy) -> None:
    """Choose the strategy of the probe, on a clock that advances a second at each reading."""
    estimate = ProbeEstimate(1, 0, free_bytes=10**9, initialise_seconds=1.0, run_seconds=1.0, strategy=strategy)
    ticks = count()
    monkeypatch.setattr(probing, "estimate_probe", lambda *_, **__: estimate)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))


@pytest.mark.parametrize("strategy", ["block by block", "slice by slice"])
def test_streams_say_which_block_and_how_much_is_left(monkeypatch: pytest.MonkeyPatch, strategy: Strategy) -> None:
    choose(monkeypatch, strategy)
    calls: list[tuple[float, str]] = []
    report = probe(SMALL, progress=lambda *call: calls.append(call))
    assert report.strategy == report.way == strategy
    assert failed(report) == set()
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    told = [message.split(", about")[0].removeprefix(f"{strategy}: ") for _, message in calls]
    blocks = [f"{doing} block {number} of 3" for number in (1, 2, 3) for doing in ("initialising", "running")]
    head = ["initialising the LM head", "running the LM head"]
    assert [*dict.fromkeys(told)] == ["initialising the embedding", *blocks, *head, "done"]
    assert re.search(r"running block 2 of 3, about \d+(\.\d)? s left$", "\n".join(dict(calls).values()), re.MULTILINE)


@pytest.mark.parametrize("strategy", ["block by block", "slice by slice"])
@pytest.mark.parametrize("stop_at", ["initialising block 2", "running block 2", "initialising the LM head"])
def test_exceptions_of_progress_cancel_the_stream_within_a_block(
    monkeypatch: pytest.MonkeyPatch, strategy: Strategy, stop_at: str
) -> None:
    choose(monkeypatch, strategy)
    told: list[str] = []

    def stop(_: float, message: str) -> None:
        told.append(message)
        if stop_at in message:
            raise StopError(message)

    with pytest.raises(StopError, match=stop_at):
        probe(SMALL, progress=stop)
    assert sum(stop_at in message for message in told) == 1
    assert stop_at in told[-1]


# Memory


def test_a_model_that_does_not_fit_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    estimate_probe(SMALL)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1_000_000))
    monkeypatch.setattr(probing, "LanguageModel", None)  # building would be a TypeError
    message = r"^even slice by slice, this model takes about \S+ MB, and 1\.00 MB of memory are free; a smaller "
    with pytest.raises(MemoryError, match=message + "total_params or vocab_size would fit$"):
        probe(solve(ModelConfig()))


def test_other_dtypes_and_devices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^dtype='float16' must be float32 or bfloat16$"):
        probe(SMALL, dtype="float16")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^device='abacus' is not on this machine; it has .*cpu"):
        probe(SMALL, device="abacus")


MEMORY = """
import json
from pathlib import Path
from slimlm import ModelConfig, solve
from slimlm.model import LanguageModel
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe

def memory(kind):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return 1024 * int(line.split()[1])

design = solve(ModelConfig(total_params=100_000_000, vocab_size=32_000))
estimate = estimate_probe(design.architecture).memory_bytes
start = memory("VmRSS")
model = LanguageModel(design)
built = memory("VmHWM") - start
del model
report = probe(design)
print(json.dumps({"weights": 4 * design.total_params, "built": built, "estimate": estimate,
                  "probed": memory("VmHWM") - start, "reported": report.peak_bytes}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_building_holds_one_copy_of_the_weights_and_the_estimate_is_near_the_peak() -> None:
    command = [sys.executable, "-c", MEMORY]  # in a fresh interpreter the highest memory is the model's own
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found: dict[str, int] = json.loads(out.stdout)
    assert 0.95 * found["weights"] < found["built"] < 1.25 * found["weights"]
    assert 1 / 1.6 < found["estimate"] / found["probed"] < 1.6
    assert found["reported"] == pytest.approx(found["probed"], rel=0.2)
