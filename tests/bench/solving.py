"""The solver: 1,000 requests over the sliders' range, 2,000 over all fields; sweeps of 10,000 and 100,000 cells."""

import gc
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from tests.bench.kit import Row, timed
from tests.bench.wide_requests import wide_requests
from tests.server import ROOT


def random_request(draw: random.Random) -> Any:
    """Draw a request over the sliders' range: total, vocabulary and expansion evenly on a log scale.

    Half of them have the default structure, the others rotary positions with RMSNorm and heads that are shared, given
    a width, or left to the solver.
    """
    from slimlm import ModelConfig

    def log(low: float, high: float) -> float:
        return math.exp(draw.uniform(math.log(low), math.log(high)))

    return ModelConfig(
        total_params=round(log(1e6, 1e10)),
        vocab_size=round(log(256, 262_144)),
        embedding_ratio=draw.uniform(0.01, 0.9),
        glu_expansion=log(0.5, 8),
        tied_lm_head=draw.random() < 0.5,
        **draw.choice([{"n_heads": draw.randint(1, 128)}, modern(draw)]),
    )


def modern(draw: random.Random) -> dict[str, Any]:
    """Draw heads as they are today: grouped, of a given width, or chosen by the solver."""
    n_heads = draw.choice([4, 8, 16, 32, 64])
    heads: list[dict[str, Any]] = [
        {"n_heads": n_heads, "n_kv_heads": n_heads // 4},
        {"n_heads": n_heads, "head_dim": draw.choice([64, 128])},
        {"n_heads": "auto"},
        {"n_heads": "auto", "n_kv_heads": draw.choice([1, 2, 4, 8])},
    ]
    return {"norm": "rmsnorm", "positions": "rope", "multiple_of": draw.choice([1, 8, 64])} | draw.choice(heads)


def solver_rows() -> Iterator[Row]:
    from slimlm import BudgetError, ModelConfig, solve

    def answer(config: ModelConfig) -> float:
        """Solve and account as if it were the first time."""
        forget()
        started = time.perf_counter()
        with suppress(BudgetError):
            _ = solve(config).account
        return time.perf_counter() - started

    def is_met(config: ModelConfig) -> bool:
        try:
            solve(config)
        except BudgetError:
            return False
        return True

    yield Row(
        "solve + account: default request", statistics.median(answer(ModelConfig()) for _ in range(200)), most=1e-3
    )
    draw = random.Random(0)
    draws = {"random": [random_request(draw) for _ in range(1000)], "wide": wide_requests(2000)}
    for kind, requests in draws.items():
        times: dict[bool, list[float]] = {True: [], False: []}
        gc.collect()
        for config in requests:
            times[is_met(config)].append(min(answer(config) for _ in range(3 if kind == "random" else 2)))
        # Widest limits of every field at once: some hard searches are among them, which take some times as long.
        yield from _spread(times[True], f"{kind} requests, possible", most_of_all=5e-3 if kind == "random" else None)
        sentence = f"{kind} requests, impossible, with suggestions"
        yield from _spread(times[False], sentence, most_of_all=5e-3 if kind == "random" else None)
    grid = [
        ModelConfig(embedding_ratio=ratio, glu_expansion=expansion, tied_lm_head=tied)
        for ratio in (0.25, 0.35, 0.45)
        for expansion in (2.0, 2.66, 3.0, 4.0)
        for tied in (True, False)
    ]
    whole = statistics.median(sum(answer(config) for config in grid) for _ in range(20))
    yield Row(f"solve + account: grid of {len(grid)} (ratio × expansion × head)", whole)


def _spread(times: list[float], name: str, most_of_all: float | None) -> Iterator[Row]:
    ordered, name = sorted(times), f"{len(times):,} {name}"
    yield Row(f"{name}: median", statistics.median(ordered), most=5e-3)
    yield Row(f"{name}: p99", ordered[int(0.99 * len(ordered))], most=5e-3)
    yield Row(f"{name}: max", ordered[-1], most=most_of_all)


def forget() -> None:
    """Empty the caches of the solver, so that a request is met as if for the first time."""
    from slimlm.solver import polynomial, width

    for cached in (polynomial.parameter_polynomials, polynomial._interpolated, width._narrowest_auto, width.auto_heads):
        cached.cache_clear()


def sweep_rows() -> Iterator[Row]:
    """Find 10,000 designs, as if for the first time, and draw them."""
    from slimlm import ModelConfig
    from slimlm.charts.heatmap import heat_map
    from slimlm.sweep import METRICS, Sweep, sweep

    auto = ModelConfig(**AUTO)
    choices = axes(100, 100)

    def solved(base: ModelConfig, x: str, y: str) -> Callable[[], Sweep]:
        def work() -> Sweep:
            forget()
            return sweep(base, choices[x], choices[y])

        return work

    for x, y in (("ratio", "expansion"), ("total", "vocabulary")):
        seconds = timed(solved(ModelConfig(), x, y))
        yield Row(f"10,000 designs: {x} × {y}", seconds, most=3.0)
    seconds = timed(solved(auto, "ratio", "expansion"))
    yield Row("10,000 designs: ratio × expansion, heads chosen by the solver", seconds, most=3.0)
    found = solved(ModelConfig(), "ratio", "expansion")()
    layers, flops = METRICS["n_layers"], METRICS["forward_flops_per_token"]
    yield Row("their FLOPs per token", timed(lambda: found.figures(flops)))
    yield Row(
        "their heat map, written out", statistics.median(timed(lambda: heat_map(found, layers)) for _ in range(3))
    )
    small = sweep(ModelConfig(), ("embedding_ratio", (0.25, 0.35, 0.45)), ("glu_expansion", (2.0, 2.66, 3.0, 4.0)))
    heat_map(small, layers)  # its templates are made once
    yield Row("heat map of 3 × 4", statistics.median(timed(lambda: heat_map(small, layers)) for _ in range(20)))


AUTO: dict[str, Any] = {"n_heads": "auto", "n_kv_heads": 2, "positions": "rope", "norm": "rmsnorm"}
MIXTURE = {"total_params": 100_000_000, "n_experts": 8, "n_shared_experts": 1, "n_dense_layers": 1}


def axes(first: int, second: int) -> dict[str, Any]:
    """Return axes by short name: `first` values of ratio and total, `second` of expansion and vocabulary."""
    from slimlm.sweep import parse_values

    return {key: (name, parse_values(name, text)) for key, (name, text) in _texts(first, second).items()}


def _texts(first: int, second: int) -> dict[str, tuple[str, str]]:
    return {
        "ratio": ("embedding_ratio", f"0.05..0.85 x {first}"),
        "expansion": ("glu_expansion", f"0.5..8 x {second}"),
        "total": ("total_params", f"1M..10B x {first} (log)"),
        "vocabulary": ("vocab_size", f"256..262144 x {second} (log)"),
    }


def large_sweep_rows() -> Iterator[Row]:
    """Find 100,000 designs, and write them with figures on the command line, in the CPU time of one process."""
    from slimlm import ModelConfig
    from slimlm.sweep import sweep

    kinds: tuple[tuple[str, dict[str, Any], tuple[int, int], tuple[str, str]], ...] = (
        ("ratio × expansion", {}, (316, 316), ("ratio", "expansion")),
        ("total × vocabulary", {}, (1000, 100), ("total", "vocabulary")),
        ("total × vocabulary, the shape leads", {"embedding_ratio": "auto"}, (1000, 100), ("total", "vocabulary")),
        ("total × vocabulary, heads chosen by the solver", AUTO, (1000, 100), ("total", "vocabulary")),
        ("ratio × expansion, heads chosen by the solver", AUTO, (316, 316), ("ratio", "expansion")),
        ("ratio × expansion of a mixture", MIXTURE, (316, 316), ("ratio", "expansion")),
    )
    for what, base, shape, (x, y) in kinds:
        found = axes(*shape)
        forget()
        config = ModelConfig(**base)
        started = time.process_time()
        sweep(config, found[x], found[y], lambda done, count: None)
        yield Row(f"{shape[0] * shape[1]:,} designs: {what}, CPU", time.process_time() - started, most=15.0)
    for what, options in (
        ("ratio × expansion, every figure", ("--x", "ratio", "--y", "expansion")),
        ("total × vocabulary, one figure", ("--x", "total", "--y", "vocabulary", "--figure", "n_layers")),
    ):
        seconds, peak = _command(options)
        yield Row(f"slimlm sweep, 100,000 cells: {what}, CPU", seconds, most=15.0)
        yield Row("    its peak memory", peak, most=1e9, unit="bytes")


def _command(options: Sequence[str]) -> tuple[float, int]:
    """Return the CPU time and the peak memory of `slimlm sweep` of 1,000 × 100 cells; axes go by their short names."""
    written = {key: f"{name}={text}" for key, (name, text) in _texts(1000, 100).items()}
    code = "import resource, sys; from slimlm.cli.main import main; main(sys.argv[1:]); "
    code += "used = resource.getrusage(resource.RUSAGE_SELF); "
    code += "print(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)"
    with tempfile.TemporaryDirectory() as folder:
        given = ["sweep", *(written.get(option, option) for option in options), "-o", f"{folder}/cells.csv"]
        out = subprocess.run([sys.executable, "-c", code, *given], check=True, cwd=ROOT, capture_output=True, text=True)
        seconds, peak = out.stdout.split()
        return float(seconds), int(peak)
