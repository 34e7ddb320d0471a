"""What charts show of a run, from the records in its folder."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from slimlm.runs.record import RunRecord

_REACH = 60
"""The average of a row reaches over this part of all rows to both sides."""


class RunCurve(NamedTuple):
    """What the chart shows of a run."""

    name: str
    points: Sequence[tuple[int, float]]
    """Tokens and mean training loss since the row before, in nats per token."""
    heldout: Sequence[tuple[int, float]]
    rates: Sequence[tuple[int, float]]
    """Tokens and learning rate."""
    entropy: float | None
    """Lowest loss that any model can reach, in nats per token, where it is known."""
    bits: tuple[float, str] | None
    """Last held-out loss in bits, and the unit: byte or symbol."""
    diverged: int | None
    """Step of divergence."""
    guessing: float | None = None
    """Loss of a model that finds all tokens equally probable, in nats."""


def run_curve(record: RunRecord, name: str = "") -> RunCurve:
    """Return the curve of a run, over or not, from the records in its folder."""
    rows = [row for row in record.metrics if isinstance(row.get("loss"), int | float)]
    unit, split = record.run["data"]["unit"], ""
    heldout: list[tuple[int, float]] = []
    bits: tuple[float, str] | None = None
    for row in rows:
        figures: Mapping[str, float] = row.get("evaluation", {})
        split = split or next((key.rpartition(".")[0] for key in figures if key.endswith(".nats_per_token")), "")
        if (loss := figures.get(f"{split}.nats_per_token")) is not None:
            heldout.append((row["tokens"], loss))
            bits = figures[f"{split}.bits_per_{unit}"], unit
    result: Mapping[str, Any] = record.result or {}
    return RunCurve(
        name or record.folder.name,
        [(row["tokens"], row["loss"]) for row in rows],
        heldout,
        [(row["tokens"], row["learning_rate"]) for row in rows],
        record.run["data"]["entropy"],
        bits,
        result["step"] if result.get("status") == "diverged" else None,
        math.log(record.run["architecture"]["vocab_size"]),
    )


def smoothed(losses: Sequence[float]) -> list[float]:
    """Return a moving average of losses without lag; it is narrower at the start and one-sided at the end.

    >>> smoothed([4.0, 3.0, 2.0]), smoothed([])
    ([4.0, 3.0, 2.5], [])
    """
    count, reach = len(losses), max(1, len(losses) // _REACH)
    sums = [0.0, *accumulate(losses)]
    found = []
    for place in range(count):
        start, end = place - min(reach, place), min(count, place + min(reach, place) + 1)
        found.append((sums[end] - sums[start]) / (end - start))
    return found
