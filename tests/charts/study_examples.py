"""Studies and rankings by hand for the tests of their charts and exports: every kind of cell, and hostile names."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.ranking.result import CellResult, Control, Ranking
from slimlm.runs.lr_search import sweep_of
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.cells import StudyCell
from slimlm.study.learning_rates import CellRate
from slimlm.study.outcome import Outcome
from slimlm.study.request import StudyRequest
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study, StudyData
from slimlm.sweep.grid import Axis

RUDE = '<img src=x onerror="alert(1)">**b**|`c`\n"""'
RECIPE = TrainRecipe(tokens=12_000_000, batch_tokens=16_384, sequence_length=512, learning_rate=2e-3)


@cache
def study(name: str = "grid") -> Study:
    """Return a study: "grid" (3 × 4), "beside" (2 × 2 and two models), "hostile" (names), or "small" (2 × 2)."""
    base = ModelConfig(total_params=10_000_000, vocab_size=16_384, positions="rope")
    ratios: tuple[float, ...] = (0.25, 0.35, 0.45) if name == "grid" else (0.25, 0.45)
    expansions: tuple[float, ...] = (2.0, 2.66, 3.0, 4.0) if name == "grid" else (2.0, 4.0)
    request = StudyRequest(
        base=base,
        x=Axis("embedding_ratio", ratios),
        y=Axis("glu_expansion", expansions),
        models=_models(name),
        recipe=RECIPE,
        head_dim=32,
    )
    data = StudyData(RUDE if name == "hostile" else "standard-ebooks", "d" * 16, 16_384, 15_500_000, "byte", None, 4.3)
    return Study(request, {16_384: data})


def _models(name: str) -> tuple[NamedModel, ...]:
    if name not in ("beside", "hostile"):
        return ()
    shape = Architecture(d_model=192, d_ff=640, n_layers=14, n_heads=6, vocab_size=16_384, positions="rope")
    words = (RUDE, "w" * 60) if name == "hostile" else ("SmolLM2 shape", "Pythia shape")
    return tuple(
        NamedModel(word, replace(shape, n_layers=14 + 2 * number), "From a link") for number, word in enumerate(words)
    )


def specs(found: Study) -> Iterator[tuple[StudyCell, float, float]]:
    """Yield each cell with the best learning rate and the loss that the made-up outcomes give it."""
    for cell in found.cells:
        arch = cell.architecture
        best = 2.1e-3 * (12 / arch.n_layers) ** 0.4
        yield cell, best, 1.74 + 0.03 * math.log(arch.n_layers / 8) ** 2


@cache
def outcomes(name: str = "grid") -> dict[str, Outcome]:
    """Return made-up outcomes of all runs of a study."""
    found = study(name)
    done: dict[str, Outcome] = {}
    truth = {cell.architecture: (best, loss) for cell, best, loss in specs(found)}
    while wanted := Schedule(found, done).wanted:
        for spec in wanted:
            best, loss = truth[spec.architecture]
            off = math.log2(spec.recipe.learning_rate / best)
            noise = 0.004 * math.sin(spec.recipe.seed * 7 + spec.architecture.d_ff)
            final = loss + 0.03 * off * off + noise + 0.05 * (12e6 / spec.recipe.tokens - 1) / 4
            done[spec.key] = _outcome(spec.key, final, spec.recipe.tokens, spec.flops)
    return done


def _outcome(key: str, final: float, tokens: int, flops: int) -> Outcome:
    rows = tuple(
        {
            "step": step,
            "tokens": tokens * step // 10,
            "loss": 5.2 / step**0.2,
            "evaluation": {"validation.bits_per_byte": final * (1 + 0.5 * (10 / step - 1) ** 0.5 / 6)},
        }
        for step in range(1, 11)
    )
    evaluation = {"validation.bits_per_byte": final}
    return Outcome(
        key, "finished", final, evaluation, tokens, flops, flops / 5e13, "NVIDIA H100", "bfloat16", {}, (), rows
    )


@cache
def ranking(name: str = "grid") -> Ranking:
    """Return a ranking by hand; the last cell's rate is not bracketed, the one before has a diverged seed."""
    found, done = study(name), outcomes(name)
    schedule = Schedule(found, done)
    cells = [_cell(cell, schedule, done) for cell in found.cells]
    if name == "grid":
        open_search = sweep_of(1e-3, {-1: (1.7,), 0: (1.8,), 1: (1.9,)})
        cells[-1] = replace(
            cells[-1],
            rate=CellRate(None, "not bracketed", open_search),
            losses=(),
            reason="learning rate not bracketed",
        )
        cells[-2] = replace(cells[-2], losses=(1.8, math.inf, 1.81), reason="1 of 3 runs diverged")
        cells[-3] = replace(cells[-3], losses=(1.8,), reason="running")
    cells = _compared(cells)
    return Ranking(
        unit="bits per byte",
        cells=tuple(cells),
        verdict="0.35 and 0.45 may be best; 0.25 is worse by 0.021 ± 0.009. The second recipe keeps the order.",
        remarks=("The learning rate of 1 cell is not bracketed.",),
        controls=CONTROLS,
        prediction="Predicted: 0.35 · 2.66 is best. It held.",
        runs_done=96,
        runs_diverged=1,
        runs_missing=2 if name == "grid" else 0,
        seeds=3,
        pooled_sd=0.0041,
        degrees_of_freedom=18,
        equal_variance_p=0.41,
        least_difference=0.0172,
        agreement=0.87,
        tokens=1_152_000_000,
        flops=84_000_000_000_000_000,
        seconds=1240.0,
        devices=("NVIDIA H100",),
    )


def _cell(cell: StudyCell, schedule: Schedule, done: dict[str, Outcome]) -> CellResult:
    arch, account = cell.architecture, cell.subject.account
    losses = tuple(done[spec.key].loss for spec in schedule.runs("ranking")[cell.key])
    label = f"{cell.x:g} · {cell.y:g}" if cell.x is not None else cell.key
    return CellResult(
        key=cell.key,
        label=label,
        x=cell.x,
        y=cell.y,
        d_model=arch.d_model,
        d_ff=arch.d_ff,
        n_layers=arch.n_layers,
        total_params=account.total_params,
        embedding_ratio=account.embedding_ratio,
        glu_expansion=arch.d_ff / arch.d_model,
        tokens=cell.tokens,
        flops=cell.flops,
        seconds=cell.flops / 5e13,
        rate=schedule.rates[cell.key],
        losses=losses,
        reason="",
    )


def _compared(cells: list[CellResult]) -> list[CellResult]:
    means = {cell.key: sum(cell.losses) / len(cell.losses) for cell in cells if cell.ranked}
    low = min(means.values())
    order = sorted(means, key=means.__getitem__)
    return [
        replace(
            cell,
            mean=means[cell.key],
            half_width=0.0086,
            may_be_best=means[cell.key] - low < 0.012,
            p_best=0.5 if means[cell.key] == low else 0.06,
            ranks=(order.index(cell.key) + 1, min(len(order), order.index(cell.key) + 3)),
        )
        if cell.ranked
        else cell
        for cell in cells
    ]


CONTROLS = (
    Control("again", "A/A pair", True, "The same cell twice differs by 0.002 bits per byte.", {"difference": 0.002}),
    Control("bad", "Bad cell", True, "A learning rate 16 times lower is worse by 0.31.", {"difference": 0.31}),
    Control("second_recipe", "Second recipe", False, "The order of 4 cells changes: τ = 0.33.", {"tau": 0.33}),
    Control("second_horizon", "Second horizon", None, "2 of 4 cells are missing.", {}),
)
