"""Training on the CPU: the loop beside a bare loop and beside transformers' Llama, and the time to resume.

Both sides of a row train on the same batches with the same fused AdamW, in turns.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.data.synthetic import known_entropy
from slimlm.data.token_data import TokenData
from slimlm.runs.recipe import TrainRecipe
from tests.bench.kit import Row
from tests.bench.model import llama, matrix_shapes

ARCHITECTURE = Architecture(
    n_layers=6,
    d_model=128,
    d_ff=344,
    n_heads=4,
    vocab_size=4096,
    max_seq_length=128,
    norm="rmsnorm",
    positions="rope",
    dropout=0.0,
    attention_dropout=0.0,
)
STEPS, ROUNDS = 16, 5
RECIPE = TrainRecipe(tokens=STEPS * 1024, batch_tokens=1024)
"""Some 1.7M parameters, 8 sequences of 128 tokens a step."""


def source() -> TokenData:
    """Return tokens without held-out ones: only training is measured."""
    return replace(known_entropy(4096, train_tokens=100_000, heldout_tokens=1), heldout={})


def loop_seconds(data: TokenData) -> float:
    """Return the seconds of all steps but the first in slimlm's loop, its records included."""
    from slimlm.train import train

    with tempfile.TemporaryDirectory() as folder:
        found = train(ARCHITECTURE, replace(RECIPE, checkpoint_every=RECIPE.tokens), data, Path(folder), device="cpu")
    return sum(float(row["seconds"]) for row in found.speed[1:])


def bare_seconds(data: TokenData, model: Any, logits_of: Callable[[Any, Any], Any]) -> float:
    """Return the seconds of all steps but the first in the shortest loop that trains the same."""
    import torch
    from torch.nn import functional as F

    matrices = [weight for name, weight in model.named_parameters() if "_proj" in name]
    others = [weight for name, weight in model.named_parameters() if "_proj" not in name]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=True)
    started = 0.0
    model.train()
    for step in range(STEPS):
        if step == 1:
            started = time.perf_counter()
        ids = torch.from_numpy(data.batch(0, step, 8, 128))
        optimizer.zero_grad()
        loss = F.cross_entropy(logits_of(model, ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - started


def training_rows() -> Iterator[Row]:
    """Measure the loop, then the time to resume."""
    from slimlm import LanguageModel

    data, build_peer = source(), llama(ARCHITECTURE)
    assert matrix_shapes(LanguageModel(ARCHITECTURE)) == matrix_shapes(build_peer()), "both must have the same matrices"
    works: dict[str, Callable[[], float]] = {
        "ours": lambda: loop_seconds(data),
        "bare": lambda: bare_seconds(data, LanguageModel(ARCHITECTURE), lambda model, ids: model(ids)[0]),
        "Llama": lambda: bare_seconds(data, build_peer(), lambda model, ids: model(ids, use_cache=False).logits),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS):
        for name in list(works)[:: 1 if turn % 2 else -1]:
            times[name].append(works[name]())
    per_step = {name: statistics.median(found) / (STEPS - 1) for name, found in times.items()}
    yield Row("training step, loop | bare loop", per_step["ours"], per_step["bare"], most_ratio=1.05)
    yield Row("training step, loop | Llama in a bare loop", per_step["ours"], per_step["Llama"], most_ratio=1.0)
    yield resume_row(data)


def resume_row(data: TokenData) -> Row:
    """Measure how long a run takes from the call to its next step, from a checkpoint and from the start."""
    from slimlm.train import train

    recipe = replace(RECIPE, checkpoint_every=8 * 1024)

    def seconds(folder: Path, last: float) -> float:
        started = time.perf_counter()
        reached: list[float] = []

        def note(fraction: float, _: str) -> None:
            if not reached:
                reached.append(time.perf_counter() - started)
            if fraction >= last:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            train(ARCHITECTURE, recipe, data, folder, resume=True, device="cpu", progress=note)
        return reached[0]

    with tempfile.TemporaryDirectory() as folder:
        fresh = seconds(Path(folder), 0.6)
        return Row("first step of a resumed run | of a new one", seconds(Path(folder), 0.6), fresh)
