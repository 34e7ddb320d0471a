"""What needs no torch: the import, the solver, sweeps, and counting beside those who build the model for it.

1,000 random requests three times each, three sweeps of 10,000 designs, counts in five rounds.
"""

import gc
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.bench.kit import Row, in_turns, timed
from tests.server import ROOT


def import_rows() -> Iterator[Row]:
    def start(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

    def imported() -> float:
        code = "import time; t = time.perf_counter(); import slimlm; print(time.perf_counter() - t)"
        out = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
        return float(out.stdout)

    start("import slimlm")()  # compiles what is not compiled yet
    ours, peer = in_turns(start("import slimlm"), start("pass"), 10)
    yield Row("process: import slimlm | pass", ours, peer)
    yield Row("import slimlm, timed inside the process", statistics.median(imported() for _ in range(10)), most=0.05)


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
    from slimlm.solver.polynomial import parameter_polynomials

    def answer(config: ModelConfig) -> float:
        """Solve and account as if it were the first time."""
        parameter_polynomials.cache_clear()
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
    times: dict[bool, list[float]] = {True: [], False: []}
    gc.collect()
    for config in [random_request(draw) for _ in range(1000)]:
        times[is_met(config)].append(min(answer(config) for _ in range(3)))
    for met, kind in ((True, "possible"), (False, "impossible, with suggestions")):
        ordered, name = sorted(times[met]), f"{len(times[met]):,} random requests, {kind}"
        yield Row(f"{name}: median", statistics.median(ordered), most=5e-3)
        yield Row(f"{name}: p99", ordered[int(0.99 * len(ordered))], most=5e-3)
        yield Row(f"{name}: max", ordered[-1], most=5e-3)
    grid = [
        ModelConfig(embedding_ratio=ratio, glu_expansion=expansion, tied_lm_head=tied)
        for ratio in (0.25, 0.35, 0.45)
        for expansion in (2.0, 2.66, 3.0, 4.0)
        for tied in (True, False)
    ]
    whole = statistics.median(sum(answer(config) for config in grid) for _ in range(20))
    yield Row(f"solve + account: grid of {len(grid)} (ratio × expansion × head)", whole)


def sweep_rows() -> Iterator[Row]:
    """Find 10,000 designs, as if for the first time, and draw them."""
    from slimlm import ModelConfig
    from slimlm.charts.heatmap import heat_map
    from slimlm.solver.polynomial import parameter_polynomials
    from slimlm.sweep import METRICS, Sweep, parse_values, sweep

    auto = ModelConfig(n_heads="auto", n_kv_heads=2, positions="rope", norm="rmsnorm")
    ratios = parse_values("embedding_ratio", "0.05..0.85 x 100")
    expansions = parse_values("glu_expansion", "0.5..8 x 100")
    totals = parse_values("total_params", "1M..10B x 100 (log)")
    vocabularies = parse_values("vocab_size", "256..262144 x 100 (log)")
    choices = {"ratio": ("embedding_ratio", ratios), "expansion": ("glu_expansion", expansions)}
    choices |= {"total": ("total_params", totals), "vocabulary": ("vocab_size", vocabularies)}

    def solved(base: ModelConfig, x: str, y: str) -> Callable[[], Sweep]:
        def work() -> Sweep:
            parameter_polynomials.cache_clear()
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


def count_rows() -> Iterator[Row]:
    """Count published models by their account, beside building them on the meta device and beside torchinfo."""
    import torch
    from torchinfo import summary
    from transformers import AutoConfig, AutoModelForCausalLM

    from slimlm.core.accounting import account
    from slimlm.core.published import published_model
    from slimlm.interop.hf.export_config import to_hf_config

    for name in ("SmolLM2-135M", "Qwen3-0.6B", "Llama-3-8B"):
        arch = published_model(name).architecture
        written = to_hf_config(arch)
        config = AutoConfig.for_model(written.pop("model_type"), **written)

        def ours(arch: Any = arch) -> int:
            return account(arch).total_params

        def built(config: Any = config) -> Any:
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
            model.tie_weights()
            return model

        def by_transformers() -> int:
            return sum(parameter.numel() for parameter in built().parameters())

        def by_torchinfo() -> int:
            return int(summary(built(), verbose=0).total_params)

        assert ours() == by_transformers(), name
        more = by_torchinfo() - ours()  # a tied head counts twice there
        peers = {"transformers on meta": by_transformers, f"torchinfo, {more:+,} params": by_torchinfo}
        for peer, count in peers.items():
            yield Row(f"count {name} | {peer}", *in_turns(ours, count, 5))
    yield from _reading_rows()


def _reading_rows() -> Iterator[Row]:
    """Read configs of windows, experts and a hybrid, and count them, beside transformers on the meta device."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from slimlm.core.published import published_model
    from slimlm.interop.hf.export_config import to_hf_config
    from slimlm.interop.read_model import read_model

    hybrid = {"model_type": "qwen3_5_text", "hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 64}
    hybrid |= {"num_attention_heads": 24, "num_key_value_heads": 4, "linear_num_value_heads": 48}
    configs = {name: to_hf_config(published_model(name).architecture) for name in ("gemma-3-270m", "Qwen3-30B-A3B")}
    for name, config in {**configs, "Qwen3.5-27B": hybrid}.items():

        def ours(config: dict[str, Any] = config, name: str = name) -> int:
            return read_model(config, name).total_params

        def theirs(config: dict[str, Any] = config) -> int:
            with torch.device("meta"):
                model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))  # type: ignore[no-untyped-call]
            model.tie_weights()
            return sum(parameter.numel() for parameter in model.parameters())

        assert ours() == theirs(), name
        yield Row(f"read and count {name} | transformers on meta", *in_turns(ours, theirs, 5))
