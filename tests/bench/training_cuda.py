"""Training speed and exactness on a CUDA machine, as a table: python -m tests.bench.training_cuda [--quick].

Cells of 10M parameters, a vocabulary of 16k and 4 to 29 layers, through the real loop: 64 × 512 tokens a step in
bfloat16, compiled blocks, the step as a CUDA graph. Rows are printed when they are measured; none begins after
`SECONDS`. The cell of 11 layers comes first: the aim is 1.6M tokens per second.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slimlm.core.architecture import Architecture
from slimlm.data.token_data import TokenData
from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.loop import train
from slimlm.train.result import RunResult

CUDA = torch.device("cuda")
SECONDS = 240.0
AIM = 1.6e6
VOCABULARY, LENGTH, SEQUENCES = 16_384, 512, 64
CELLS = ((11, 224, 560), (29, 160, 320), (4, 288, 1144), (19, 160, 592), (7, 256, 736), (14, 192, 592))
"""Layers, d_model and d_ff: heads of 32, and matrices whose rows suit tensor cores."""


def cell(n_layers: int, d_model: int, d_ff: int) -> Architecture:
    """Return the architecture of a cell: Llama's structure without dropout."""
    return Architecture(
        n_layers=n_layers,
        d_model=d_model,
        d_ff=d_ff,
        n_heads=d_model // 32,
        vocab_size=VOCABULARY,
        max_seq_length=LENGTH,
        positions="rope",
        norm="rmsnorm",
        dropout=0.0,
        attention_dropout=0.0,
    )


@cache
def source(tokens: int = 4_000_000) -> TokenData:
    """Return tokens by Zipf's law, without order: the loss falls from ln V to their entropy."""
    shares = 1 / np.arange(1, VOCABULARY + 1)
    found = np.random.default_rng(0).choice(VOCABULARY, tokens, p=shares / shares.sum()).astype(np.uint16)
    lengths = np.ones(VOCABULARY, dtype=np.int64)
    return TokenData("zipf", VOCABULARY, found[50_000:], {"validation": found[:50_000]}, lengths, "zipf", "symbol")


def recipe(steps: int, **changes: Any) -> TrainRecipe:
    """Return a recipe of a number of steps that evaluates at the end alone."""
    tokens = steps * LENGTH * SEQUENCES
    fields = {"sequence_length": LENGTH, "batch_tokens": LENGTH * SEQUENCES, "evaluate_every": tokens}
    return TrainRecipe(**{"tokens": tokens, "log_every": 20, "checkpoint_every": tokens, **fields, **changes})


def describe(result: RunResult, architecture: Architecture) -> tuple[bool, str]:
    """Return whether checks passed, and the figures of a run."""
    steady = result.speed[-1]
    first = result.speed[0]["seconds"]
    captured = result.speed[1]["seconds"]
    shape = f"{architecture.n_layers} layers, d_model {architecture.d_model}, d_ff {architecture.d_ff}"
    text = (
        f"{shape}: {steady['tokens_per_second']:,.0f} tokens/s, MFU {steady['mfu']:.1%}, "
        f"peak memory {steady['peak_memory_bytes'] / 2**30:.2f} GiB, "
        f"first step {first:.1f} s, steps 2–20 {captured:.1f} s,"
        f" loss {result.metrics[0]['loss']:.3f} → {result.loss or float('nan'):.3f}"
    )
    faults = [f"{check.name}: {check.detail}" for check in result.failed_checks]
    return not faults and result.status == "finished", "; ".join([text, *result.notes, *faults])


def speed(architecture: Architecture, **changes: Any) -> tuple[bool, str]:
    """Train a cell for 100 steps; the last 20 give its speed."""
    torch.cuda.reset_peak_memory_stats()
    return describe(train(architecture, recipe(100, **changes), source(), device=CUDA), architecture)


def graph_equals_eager() -> tuple[bool, str]:
    """Compare losses with and without a CUDA graph, without compilation."""
    arch = replace(cell(*CELLS[0]), n_layers=3)
    common = {"compile": "off", "deterministic": True, "log_every": 1}
    runs = [train(arch, recipe(12, cuda_graph=graph, **common), source(), device=CUDA) for graph in ("on", "off")]
    losses = [[row["loss"] for row in run.metrics] for run in runs]
    worst = max(abs(a - b) for a, b in zip(*losses, strict=True))
    return worst <= 1e-4, f"losses of 12 steps differ by {worst:.1e}; {'; '.join(runs[0].notes) or 'captured'}"


def resumes_exactly() -> tuple[bool, str]:
    """Interrupt a deterministic run, resume it, and compare the weights and metrics with an uninterrupted run."""
    arch, wanted = replace(cell(*CELLS[0]), n_layers=3, dropout=0.1), recipe(20, deterministic=True, compile="off")
    wanted = replace(wanted, checkpoint_every=4 * LENGTH * SEQUENCES, evaluate_every=6 * LENGTH * SEQUENCES)
    evaluations: list[int] = []

    def stop(_: LanguageModel) -> dict[str, float]:
        evaluations.append(1)
        if len(evaluations) == 2:  # after 12 steps; the latest checkpoint has 8
            raise KeyboardInterrupt
        return {}

    with tempfile.TemporaryDirectory() as home:
        whole, cut = Path(home, "whole"), Path(home, "cut")
        train(arch, wanted, source(), whole, device=CUDA)
        with suppress(KeyboardInterrupt):
            train(arch, wanted, source(), cut, device=CUDA, hooks={"stop": stop})
        train(arch, wanted, source(), cut, device=CUDA, resume=True)
        equal = {name: (whole / name).read_bytes() == (cut / name).read_bytes() for name in FILES}
    return all(equal.values()), f"equal after an interruption: {equal}"


FILES = ("model.safetensors", "metrics.jsonl")


def profile() -> tuple[bool, str]:
    """Print the kernels that take longest in a step of the cell of 11 layers."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    with profiled(activities=[ProfilerActivity.CUDA]) as found:
        train(cell(*CELLS[0]), recipe(20), source(), device=CUDA)
    return True, found.key_averages().table(sort_by="cuda_time_total", row_limit=30, max_name_column_width=70)


def checks(quick: bool) -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Yield the name of each row and what it runs."""
    main = cell(*CELLS[0])
    yield "graph and compiled", partial(speed, main)
    yield "compiled", partial(speed, main, cuda_graph="off")
    yield "graph equals eager", graph_equals_eager
    yield "resume", resumes_exactly
    if quick:
        return
    for n_layers, *widths in CELLS[1:]:
        yield f"{n_layers} layers", partial(speed, cell(n_layers, *widths))
    yield "graph", partial(speed, main, compile="off")
    yield "graph, 16k tokens a step", partial(speed, main, batch_tokens=LENGTH * SEQUENCES // 2)
    yield "Muon", partial(speed, main, optimizer="muon")
    yield "profile", profile


def main() -> int:
    """Run every row, print it, and return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.training_cuda", description="Training on CUDA.")
    parser.add_argument("--quick", action="store_true", help="the first four rows alone")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured")
        return 2
    started, failures = time.perf_counter(), 0
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}, {torch.cuda.get_device_name()}", flush=True)
    for name, check in checks(quick):
        begun = time.perf_counter()
        if begun - started > SECONDS:
            print(f"skipped  {name}", flush=True)
            continue
        try:
            passed, detail = check()
        except Exception as error:  # a table of every result is of more use than the first traceback
            passed, detail = False, f"{type(error).__name__}: {error}"[:600]
        failures += not passed
        seconds = time.perf_counter() - begun
        print(f"{'passed' if passed else 'FAILED'}  {name:<28} [{seconds:.0f} s] {detail}", flush=True)
    print(
        f"{failures} failed, {time.perf_counter() - started:.0f} s; aim: {AIM:,.0f} tokens/s with 11 layers", flush=True
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
