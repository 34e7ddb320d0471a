"""Runs of a pilot grid on a GPU: 12 cells of 10M parameters with three seeds, and a search in three of them.

They test the statistics. As a result they are void: the best learning rate of every search is the lowest that was
tried, so that the cells were not compared at their own best.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from slimlm.runs.lr_search import LearningRateSweep, sweep_of

SEARCH_TOKENS, CENTRE = 6_553_600, 2e-3


def _runs(searches: bool) -> list[dict[str, Any]]:
    lines = (Path(__file__).parent / "pilot_runs.jsonl").read_text(encoding="utf-8").splitlines()
    runs = sorted(map(json.loads, lines), key=lambda run: (run["ratio"], run["exp"], run["lr"], run["seed"]))
    return [run for run in runs if (run["tokens"] == SEARCH_TOKENS) == searches]


def pilot_losses() -> dict[str, list[float]]:
    """Return the losses of each cell in nats per token, by "ratio · expansion"."""
    losses: dict[str, list[float]] = defaultdict(list)
    for run in _runs(searches=False):
        losses[f"{run['ratio']:g} · {run['exp']:g}"].append(run["nats"])
    return dict(losses)


def pilot_searches() -> dict[float, LearningRateSweep]:
    """Return the searches by embedding ratio."""
    losses: dict[float, dict[int, tuple[float]]] = defaultdict(dict)
    exponents = {1e-3: -1, 2e-3: 0, 4e-3: 1, 8e-3: 2}
    for run in _runs(searches=True):
        losses[run["ratio"]][exponents[run["lr"]]] = (run["nats"],)
    return {ratio: sweep_of(CENTRE, found) for ratio, found in losses.items()}
