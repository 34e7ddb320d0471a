"""The shared cache of sweeps, and widget keys of their charts."""

import os
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

from slimlm.core.config import ModelConfig
from slimlm.sweep import Sweep, sweep
from slimlm.ui.sweep_panels import SweepCache, chart_key
from tests.grids import specified

ROOT = Path(__file__).parent.parent.parent


def of_total(total: int) -> Sweep:
    """Return a sweep of two cells."""
    base = ModelConfig(total_params=total)
    return sweep(base, ("embedding_ratio", (0.3, 0.4)), ("glu_expansion", (2.66,)))


def test_the_least_recently_used_sweep_gives_way() -> None:
    cache, sweeps = SweepCache(most_cells=4), [of_total(total) for total in (8_000_000, 9_000_000, 10_000_000)]
    cache.put(0, sweeps[0])
    cache.put(1, sweeps[1])
    assert cache.get(0) is sweeps[0]
    cache.put(2, sweeps[2])
    assert (cache.get(0), cache.get(1), cache.get(2)) == (sweeps[0], None, sweeps[2])


def test_a_sweep_above_the_limit_is_kept_alone() -> None:
    cache, large = SweepCache(most_cells=4), specified()
    cache.put(0, of_total(8_000_000))
    cache.put(1, large)
    assert (cache.get(0), cache.get(1)) == (None, large)


def test_no_more_sweeps_are_kept_however_small() -> None:
    cache, sweeps = SweepCache(most_sweeps=2), [of_total(total) for total in (8_000_000, 9_000_000, 10_000_000)]
    for number, found in enumerate(sweeps):
        cache.put(number, found)
    assert [cache.get(number) for number in range(3)] == [None, *sweeps[1:]]


class Paused(OrderedDict[object, Sweep]):
    """Stops a reader between finding a sweep and marking it as used, until a writer has had time to evict it."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.evicted = threading.Event(), threading.Event()

    def get(self, key: object, default: object = None) -> object:  # type: ignore[override]
        value = super().get(key, default)
        if key == 0 and value:
            self.found.set()
            self.evicted.wait(0.5)
        return value

    def popitem(self, last: bool = True) -> tuple[object, Sweep]:
        pair = super().popitem(last)
        self.evicted.set()
        return pair


def test_a_sweep_that_is_being_read_is_not_evicted_meanwhile() -> None:
    cache, sweeps, paused = SweepCache(most_cells=2), [of_total(8_000_000), of_total(9_000_000)], Paused()
    paused[0] = sweeps[0]
    cache._sweeps = paused
    read: list[object] = []

    def reader() -> None:
        try:
            read.append(cache.get(0))
        except KeyError as error:
            read.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    assert paused.found.wait(10)
    cache.put(1, sweeps[1])
    thread.join(10)
    assert read == [sweeps[0]]
    assert list(paused) == [1]


def test_the_key_of_a_chart_is_the_same_in_every_process_and_differs_between_sweeps() -> None:
    code = "from tests.ui.test_sweep_panels import *; print(chart_key(specified(), 'map'))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {chart_key(specified(), "map")}
    other = specified(ModelConfig(ffn="gelu"))
    turned = Sweep(ModelConfig(), specified().y, specified().x, ())
    views = {chart_key(found, view) for found in (specified(), other, turned) for view in ("map", "pareto")}
    assert len(views) == 6
