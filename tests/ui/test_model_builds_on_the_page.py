"""The PyTorch check on the Design page: estimates, refusals and results that are kept."""

from typing import Any

import psutil
import pytest

from slimlm.probing import estimate as estimating
from slimlm.probing import probe as probing
from slimlm.probing.estimate import ProbeEstimate
from tests.test_app import opened, shown

pytestmark = pytest.mark.usefixtures("idle_machine")


def estimate(seconds: float, memory: int, **more: Any) -> ProbeEstimate:
    return ProbeEstimate(memory, 0, free_bytes=10**9, initialise_seconds=seconds / 2, run_seconds=seconds / 2, **more)


def test_a_heavy_model_waits_behind_a_button_that_names_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "estimate_probe", lambda *_, **__: estimate(12.0, 4 * 10**8))
    page = opened(total_params="3M", vocab_size="1024")
    (button,) = [button for button in page.button if button.label.startswith("Build")]
    assert button.label == "Build and check (about 12 s and 400 MB)"
    assert "PyTorch check" not in {metric.label for metric in page.metric}  # the button stands in its tile
    button.click().run()
    assert {metric.label: metric.value for metric in page.metric}["PyTorch check"] == "passed"


def test_a_model_beyond_memory_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    free = psutil.virtual_memory()._replace(available=5_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    page = opened(total_params="4M", vocab_size="2048", tab="pytorch-check")
    assert not page.exception
    message = shown(page.info[0].value)
    assert message.startswith("Even slice by slice, this model takes about ")
    assert "and 5.00 MB of memory are free; a smaller total_params or vocab_size would fit." in message


def test_a_model_that_does_not_fit_whole_is_offered_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        estimating, "estimate_probe", lambda *_, **__: estimate(300.0, 8 * 10**8, strategy="block by block")
    )
    page = opened(total_params="3M", vocab_size="1100")
    assert "Build and check (about 5 min and 800 MB, block by block)" in [button.label for button in page.button]


def test_the_weights_may_be_bfloat16() -> None:
    page = opened(total_params="2M", vocab_size="1200", tab="pytorch-check")
    assert "float32, cpu" in "".join(text.value for text in page.markdown)
    page.radio("precision").set_value("bfloat16").run()
    assert "bfloat16, cpu" in "".join(text.value for text in page.markdown)
    assert {metric.label: metric.value for metric in page.metric}["PyTorch check"] == "passed"


def test_the_second_look_at_a_design_builds_no_second_model(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(total_params="2M", vocab_size="1024")
    monkeypatch.setattr(probing, "probe", lambda *_, **__: pytest.fail("built again"))
    page = opened(total_params="2M", vocab_size="1024")
    assert {metric.label: metric.value for metric in page.metric}["PyTorch check"] == "passed"
