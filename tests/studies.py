"""Studies whose runs are made up, for tests of what reads, ranks and shows them."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import FORMAT, METRICS, RESULT, RUN, SPEED
from slimlm.serialization.fields import Value
from slimlm.study.cells import data_sizes, study_cells
from slimlm.study.outcome import Outcome
from slimlm.study.request import StudyRequest
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import PACKED, RUNS, Study, StudyData, write_study
from slimlm.sweep.grid import Axis

Loss = Callable[[Architecture, TrainRecipe], float]

RATIOS, EXPANSIONS = (0.25, 0.35, 0.45), (2, 2.66, 3, 4)
BYTES_PER_TOKEN = 3.6
VERSIONS = {"python": "3.11.7", "torch": "2.13.0+cpu", "slimlm": "0.1.0"}
TOKENS = 250_000


def fake_request(
    *,
    x: tuple[str, Sequence[Value]] = ("embedding_ratio", RATIOS),
    y: tuple[str, Sequence[Value]] = ("glu_expansion", EXPANSIONS),
    total: int = 1_000_000,
    vocab_size: int = 4096,
    head_dim: int | None = 8,
    tokens: int = TOKENS,
    **fields: Any,
) -> StudyRequest:
    """Return a request for 3 × 4 cells of 1M parameters; `fields` are further ones of `StudyRequest`."""
    base = ModelConfig(total_params=total, vocab_size=vocab_size, max_seq_length=128)
    recipe = TrainRecipe(tokens=tokens, batch_tokens=1024, sequence_length=128)
    rest: dict[str, Any] = {"base": base, "recipe": recipe, "head_dim": head_dim} | fields
    return StudyRequest(x=Axis(x[0], tuple(x[1])), y=Axis(y[0], tuple(y[1])), **rest)


def fake_study(unit: str = "byte", **fields: Any) -> Study:
    """Return a study on data that does not exist; `fields` are those of `fake_request`."""
    request = fake_request(**fields)
    data = {
        size: StudyData(
            "made-up prose", f"{size:064x}", size, 10_000_000, unit, units_per_token=BYTES_PER_TOKEN * size**0.2 / 5.3
        )
        for size in data_sizes(study_cells(request))
    }
    return Study(request, data)


def best_rate(architecture: Architecture) -> float:
    """Return the learning rate at which the made-up loss is lowest: log-linear in width and depth."""
    return 4e-3 * math.exp(-0.8 * math.log(architecture.d_model / 88) - 0.4 * math.log(architecture.n_layers / 6))


def usual_loss(architecture: Architecture, recipe: TrainRecipe) -> float:
    """Return a loss in bits per byte that is lowest at an aspect ratio of 25, with differences of some 0.1."""
    shape = math.log(architecture.d_model / architecture.n_layers / 25)
    octaves = math.log2(recipe.learning_rate / best_rate(architecture))
    small = 0.06 if recipe.embedding_std == 0.02 else 0.0
    return 2.0 + 0.05 * shape**2 + 0.03 * octaves**2 + small + 0.08 * math.log2(TOKENS / recipe.tokens)


def fake_outcomes(
    study: Study,
    loss: Loss = usual_loss,
    sd: float = 0.01,
    seed: int = 0,
    *,
    diverges: Callable[[Architecture, TrainRecipe], bool] = lambda architecture, recipe: False,
    most: int | None = None,
    device: str = "cpu",
) -> dict[str, Outcome]:
    """Return the outcomes of a study that is complete, or of its first `most` runs.

    A run's noise is determined by its key and `seed`.
    """
    outcomes: dict[str, Outcome] = {}
    while wanted := Schedule(study, outcomes).wanted:
        for spec in wanted:
            if most is not None and len(outcomes) >= most:
                return outcomes
            outcomes[spec.key] = fake_outcome(study, spec, loss, sd, seed, diverges(*_of(spec)), device)
    return outcomes


def _of(spec: RunSpec) -> tuple[Architecture, TrainRecipe]:
    return spec.architecture, spec.recipe


def fake_outcome(
    study: Study,
    spec: RunSpec,
    loss: Loss = usual_loss,
    sd: float = 0.01,
    seed: int = 0,
    diverged: bool = False,
    device: str = "cpu",
) -> Outcome:
    """Return the outcome of one run, with metrics of some 25 steps."""
    noise = np.random.default_rng([int(spec.key, 16) & 0xFFFFFFFF, seed])
    final = loss(spec.architecture, spec.recipe) + sd * float(noise.normal())
    nats = _nats_per_unit(study, spec)
    metrics = list(_metrics(spec, final, nats, study.unit, noise, diverged))
    tokens = metrics[-1]["tokens"]
    return Outcome(
        spec.key,
        "diverged" if diverged else "finished",
        math.inf if diverged else final,
        {} if diverged else _evaluation(final, nats, study.unit),
        tokens,
        spec.flops * tokens // spec.recipe.tokens,
        spec.flops / 5e9,
        device,
        "float32",
        VERSIONS,
        (),
        tuple(metrics),
    )


def _nats_per_unit(study: Study, spec: RunSpec) -> float:
    return math.log(2) * (study.data[spec.architecture.vocab_size].units_per_token or 1.0)


def _evaluation(bits: float, nats: float, unit: str) -> dict[str, float]:
    return {"validation.nats_per_token": bits * nats, f"validation.bits_per_{unit}": bits}


def _metrics(
    spec: RunSpec, final: float, nats: float, unit: str, noise: np.random.Generator, diverged: bool
) -> list[dict[str, Any]]:
    steps = max(1, spec.recipe.tokens // spec.recipe.batch_tokens)
    start = math.log2(spec.architecture.vocab_size) * math.log(2) / nats
    rows = []
    for number, step in enumerate(sorted({max(1, round(steps * part / 20)) for part in range(21)})):
        bits = final + (start - final) * math.exp(-6 * step / steps) * (1 - step / steps)
        row: dict[str, Any] = {
            "step": step,
            "tokens": step * spec.recipe.batch_tokens,
            "loss": nats * bits * (1 + 0.01 * float(noise.normal())),
            "learning_rate": spec.recipe.learning_rate * min(1.0, step / steps / 0.15, (1 - step / steps) / 0.25),
            "gradient_norm": 0.5,
        }
        if number % 2 == 0:
            row["evaluation"] = _evaluation(bits, nats, unit)
        rows.append(row)
        if diverged and number == 5:
            return [*rows[:-1], row | {"loss": None}]
    return rows


def write_fake(folder: Path, study: Study, outcomes: Mapping[str, Outcome], *, packed: bool = True) -> Path:
    """Write the folder of a study whose runs are over, and return it; `read_outcomes` reads the outcomes back."""
    write_study(folder, study)
    if packed:
        lines = [json.dumps({"key": key} | _record(study, one)) for key, one in sorted(outcomes.items())]
        (folder / PACKED).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return folder
    for key, one in outcomes.items():
        home = folder / RUNS / key
        home.mkdir(parents=True)
        record = _record(study, one)
        for name, part in ((RUN, record["run"]), (RESULT, record["result"])):
            (home / name).write_text(json.dumps(part), encoding="utf-8")
        for name, rows in ((METRICS, record["metrics"]), (SPEED, record["speed"])):
            (home / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return folder


def _record(study: Study, outcome: Outcome) -> dict[str, Any]:
    run = {
        "format": FORMAT,
        "data": {"unit": study.unit},
        "setting": {"device": outcome.device, "precision": outcome.precision, "processes": 1},
        "versions": dict(outcome.versions),
    }
    checks = [{"name": name, "passed": False, "detail": "made up"} for name in outcome.failed_checks]
    result = {
        "status": outcome.status,
        "tokens": outcome.tokens,
        "flops": outcome.flops,
        "evaluation": dict(outcome.evaluation),
        "checks": [{"name": "causality", "passed": True, "detail": "made up"}, *checks],
    }
    return {
        "run": run,
        "metrics": list(outcome.metrics),
        "speed": [{"step": 1, "seconds": outcome.seconds}],
        "result": result,
    }
