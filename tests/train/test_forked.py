"""Runs in processes that are killed at any moment, or that train together: their records are those of one whole run."""

import json

import pytest
import torch

from slimlm.model.pretrained import from_pretrained
from slimlm.train import train
from tests.train.conftest import ForkedRuns
from tests.train.sources import chain_data, contents, recipe, tiny


def test_runs_killed_at_any_moment_and_resumed_are_byte_for_byte_the_same(forked_runs: ForkedRuns) -> None:
    for seed in ("0", "1", "2"):
        assert forked_runs.deaths.count(seed) >= 2
        assert contents(forked_runs.folder / seed) == contents(forked_runs.folder / "whole")
        assert not list((forked_runs.folder / seed).rglob("*.part"))


def test_two_processes_give_the_records_of_one(forked_runs: ForkedRuns) -> None:
    folder = forked_runs.folder / "two"
    one = train(tiny(), recipe(dropout=0.0), chain_data())
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == len(one.metrics)
    for ours, theirs in zip(rows, one.metrics, strict=True):
        assert ours["step"] == theirs["step"]
        assert [ours["loss"], ours["gradient_norm"]] == pytest.approx(
            [theirs["loss"], theirs["gradient_norm"]], rel=1e-4
        )
    assert json.loads((folder / "run.json").read_text())["setting"]["processes"] == 2
    assert one.model is not None
    for mine, other in zip(from_pretrained(folder).parameters(), one.model.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=0, atol=1e-4)
