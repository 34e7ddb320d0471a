"""Measure slimlm beside its peers in one run: `python -m tests.bench [--only NAME ...]`.

A benchmark and never a test: it prints one table and asserts nothing about time. Peers run in turns with slimlm, so
that both meet the same machine. A further section is a function that yields rows, registered by `@section`; heavy
imports belong inside it.
"""

import argparse
import gc
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class Row(NamedTuple):
    """One line of the table; times in seconds."""

    what: str
    ours: float
    peer: float | None = None
    most: float | None = None
    """The aim: what `ours` should not exceed."""
    most_ratio: float | None = None
    """The aim: what ours / peer should not exceed."""


Section = Callable[[], Iterator[Row]]
SECTIONS: dict[str, Section] = {}


def section(name: str) -> Callable[[Section], Section]:
    """Register a function that yields rows under a name for `--only`."""

    def register(function: Section) -> Section:
        SECTIONS[name] = function
        return function

    return register


def timed(work: Callable[[], object]) -> float:
    """Time one call; what it returns is freed outside the time, and garbage is collected before."""
    gc.collect()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    del result
    return seconds


def in_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return both medians; each round runs both, and every other round the peer comes first."""
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through before every run
    times: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    for turn in range(rounds):
        for work in (ours, peer) if turn % 2 == 0 else (peer, ours):
            times[work].append(timed(work))
    gc.unfreeze()
    return statistics.median(times[ours]), statistics.median(times[peer])


# Import


@section("import")
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


# Solver


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


@section("solver")
def solver_rows() -> Iterator[Row]:
    from slimlm import BudgetError, ModelConfig, solve
    from slimlm.price import price

    def answer(config: ModelConfig) -> float:
        """Solve and account as if it were the first time."""
        price.cache_clear()
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
    for config in [random_request(draw) for _ in range(2000)]:
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


# Sweeps


@section("sweep")
def sweep_rows() -> Iterator[Row]:
    """Find 10,000 designs, as if for the first time, and draw them."""
    from slimlm import ModelConfig
    from slimlm.charts.heatmap import heat_map
    from slimlm.price import price
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
            price.cache_clear()
            return sweep(base, choices[x], choices[y])

        return work

    for x, y in (("ratio", "expansion"), ("total", "vocabulary")):
        seconds = statistics.median(timed(solved(ModelConfig(), x, y)) for _ in range(3))
        yield Row(f"10,000 designs: {x} × {y}", seconds, most=3.0)
    seconds = statistics.median(timed(solved(auto, "ratio", "expansion")) for _ in range(3))
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


# Model


def llama(arch: Any) -> Callable[[], Any]:
    """Return a function that builds transformers' Llama with the same dimensions."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TRANSFORMERS_NO_ADVISORY_WARNINGS="1")
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = LlamaConfig(
        vocab_size=arch.vocab_size,
        hidden_size=arch.d_model,
        intermediate_size=arch.d_ff,
        num_hidden_layers=arch.n_layers,
        num_attention_heads=arch.n_heads,
        num_key_value_heads=arch.n_kv_heads,
        max_position_embeddings=arch.max_seq_length,
        tie_word_embeddings=arch.tied_lm_head,
        attn_implementation="sdpa",  # type: ignore[call-arg]
        use_cache=False,
    )
    return lambda: LlamaForCausalLM(config)


def even_heads(total_params: int, vocab_size: int) -> Any:
    """Return a request whose heads have an even width, as rotary positions need it."""
    from slimlm import ModelConfig, solve

    for n_heads in (10, 12, 16, 8, 4):
        config = ModelConfig(total_params=total_params, vocab_size=vocab_size, n_heads=n_heads)
        if solve(config).architecture.head_dim % 2 == 0:
            return config
    raise LookupError("no customary number of heads gives an even head_dim")


def like_llama(total_params: int, vocab_size: int) -> Any:
    """Return a request for the very architecture of the peer."""
    from slimlm import ModelConfig

    return ModelConfig(
        total_params=total_params,
        vocab_size=vocab_size,
        n_heads="auto",
        n_kv_heads=2,
        norm="rmsnorm",
        positions="rope",
        dropout=0.0,
        attention_dropout=0.0,
    )


@section("model")
def model_rows() -> Iterator[Row]:
    for total_params, vocab_size, builds, forwards in ((10_000_000, 16_000, 11, 25), (110_000_000, 32_000, 5, 11)):
        name = f"{total_params // 10**6}M"
        yield from against_llama(name, even_heads(total_params, vocab_size), builds, forwards)
        yield from against_llama(f"{name} like Llama", like_llama(total_params, vocab_size), builds, forwards)


def against_llama(name: str, config: Any, builds: int, forwards: int) -> Iterator[Row]:
    """Build and run a request's model in turns with transformers' Llama of the same dimensions."""
    import torch

    from slimlm import LanguageModel, solve

    arch = solve(config).architecture
    build_peer = llama(arch)
    build_peer()  # both have built once: imports and first uses are done
    LanguageModel(config)

    def build() -> LanguageModel:
        return LanguageModel(config)

    ours, peer = in_turns(build, build_peer, builds)
    dims = f"{arch.n_layers} × {arch.d_model}/{arch.d_ff}, {arch.n_heads} heads"
    yield Row(f"build {name} | Llama ({dims})", ours, peer, most_ratio=0.6)
    model, other = build().eval(), build_peer().eval()
    for batch, tokens in ((1, 128), (4, 256)):
        ids = torch.randint(config.vocab_size, (batch, tokens))

        def run(ids: Any = ids) -> Any:
            return model(ids)[0]

        def run_peer(ids: Any = ids) -> Any:
            return other(ids, use_cache=False).logits

        with torch.inference_mode():
            run(), run_peer()
            ours, peer = in_turns(run, run_peer, forwards)
        yield Row(f"forward {name} {batch} × {tokens} | Llama", ours, peer, most_ratio=1.0)


# Counting


@section("count")
def count_rows() -> Iterator[Row]:
    """Count published models by their account, beside building them on the meta device and beside torchinfo."""
    import torch
    from torchinfo import summary
    from transformers import AutoConfig, AutoModelForCausalLM

    from slimlm.accounting import account
    from slimlm.hf.config_out import to_hf_config
    from slimlm.published import published_model

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


# The table


# Page


@section("page")
def page_section() -> Iterator[Row]:
    from tests.bench_page import page_rows

    for number, (what, ours, floor) in enumerate(page_rows()):
        yield Row(f"{what} | bare page", ours, floor, most_ratio=1.25 if number else None)


def in_ms(seconds: float | None) -> str:
    """Write a time with three significant digits."""
    if seconds is None:
        return ""
    value = 1000 * seconds
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f} ms"


def cells(row: Row) -> tuple[str, ...]:
    ratio = row.ours / row.peer if row.peer else None
    aim = ""
    if row.most is not None:
        aim = f"≤ {1000 * row.most:g} ms" + (" missed" if row.ours > row.most else "")
    elif row.most_ratio is not None and ratio is not None:
        aim = f"≤ {row.most_ratio:.2f}" + (" missed" if ratio > row.most_ratio else "")
    return row.what, in_ms(row.ours), in_ms(row.peer), "" if ratio is None else f"{ratio:.2f}", aim


def format_table(rows: list[Row]) -> str:
    lines = [("what | peer", "ours", "peer", "ratio", "aim"), *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if number in (0, len(widths) - 1) else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "─" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section to run (repeatable; default: all)")
    chosen = parser.parse_args().only or list(SECTIONS)
    sys.path.insert(0, str(ROOT))
    rows: list[Row] = []
    for name in chosen:
        print(f"measuring {name} …", file=sys.stderr)
        rows += SECTIONS[name]()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs{load}")
    print(format_table(rows))


if __name__ == "__main__":
    main()
