"""Text about runs, from plain records."""

from pathlib import Path
from typing import Any

import pytest

from slimlm.cli.run_text import format_summary
from slimlm.runs.record import RunRecord


def ended(**changes: Any) -> RunRecord:
    result: dict[str, Any] = {
        "status": "finished",
        "step": 200,
        "tokens": 409_600,
        "loss": 3.25,
        "evaluation": {
            "validation.nats_per_token": 3.5,
            "validation.bits_per_byte": 1.75,
            "out_of_domain.nats_per_token": 4.5,
            "out_of_domain.bits_per_byte": 2.25,
            "blimp.accuracy": 0.625,
        },
        "notes": ["no CUDA graph: the device is a CPU"],
        "checks": [{"name": "causality", "passed": True, "detail": ""}],
    }
    speed = [
        {"step": 100, "seconds": 10.0, "tokens_per_second": 1000.0, "mfu": 0.1, "peak_memory_bytes": 5_000_000},
        {"step": 200, "seconds": 30.0, "tokens_per_second": 3000.0, "mfu": 0.3, "peak_memory_bytes": 4_000_000},
    ]
    return RunRecord(Path(), {"data": {"unit": "byte", "entropy": None}}, [], speed, result | changes)


def test_a_summary_names_every_figure_with_its_unit() -> None:
    assert format_summary(ended()).splitlines() == [
        "finished after 200 steps, 409.6k tokens",
        "note: no CUDA graph: the device is a CPU",
        "training loss 3.2500 nats per token",
        "validation loss 3.5000 nats per token = 1.7500 bits per byte",
        "out of domain loss 4.5000 nats per token = 2.2500 bits per byte",
        "blimp.accuracy 0.6250",
        "40 s of steps, 2,500 tokens/s, MFU 25.0 %, peak memory 5.00 MB",
        "1 check passed: causality",
    ]


def test_a_failed_check_is_said_last_and_loudly() -> None:
    checks = [
        {"name": "causality", "passed": True, "detail": ""},
        {"name": "shifted targets", "passed": False, "detail": "targets are the inputs"},
    ]
    *_, last = format_summary(ended(checks=checks)).splitlines()
    assert last == ("CHECK FAILED: shifted targets (targets are the inputs): do not trust the figures of this run")


def test_figures_that_are_not_finite_are_said_so() -> None:
    figures = {"validation.nats_per_token": None, "validation.bits_per_byte": None, "blimp.accuracy": None}
    lines = format_summary(ended(evaluation=figures)).splitlines()
    assert lines[3:5] == ["validation loss is not finite", "blimp.accuracy is not finite"]


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation": {"validation.nats_per_token": 3.0}},
        {"evaluation": []},
        {"checks": [{"name": "causality"}]},
        {"tokens": "many"},
    ],
)
def test_a_result_that_no_run_writes_is_one_sentence(changes: dict[str, Any]) -> None:
    rule = (
        r"^result\.json is damaged: it is not what slimlm writes; resuming the run after deleting that file would work$"
    )
    with pytest.raises(ValueError, match=rule):
        format_summary(ended(**changes))


def test_a_diverged_run_has_no_loss_to_report() -> None:
    lines = format_summary(
        ended(status="diverged", step=12, loss=None, evaluation={}, checks=[], notes=[])
    ).splitlines()
    assert lines[0].startswith("DIVERGED at step 12 (409.6k tokens): recorded as a result, without weights; ")
    assert [line.split()[0] for line in lines] == ["DIVERGED", "40"]
