"""Text about a run: its plan before it starts, and how it ended."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from slimlm.core.describe import counted
from slimlm.core.named_model import Subject
from slimlm.runs.plan import RunPlan
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import RunRecord, damaged_result
from slimlm.utils.formatting import format_bytes, format_count, format_flops, format_real, format_seconds, format_share
from slimlm.utils.text import listed

if TYPE_CHECKING:
    from slimlm.data.token_data import TokenData


def format_plan(subject: Subject, recipe: TrainRecipe, data: "TokenData", plan: RunPlan) -> str:
    """Return what a run will do, without times, which only its first steps tell."""
    heldout = [f"{len(tokens):,} held out ({name.replace('_', ' ')})" for name, tokens in data.heldout.items()]
    saved = f"{counted(recipe.keep, 'checkpoint')} of {format_bytes(plan.checkpoint_bytes)}"
    rows = {
        "model": subject.title,
        "data": ", ".join([f"{data.name}: {len(data.train):,} training tokens of {data.vocab_size:,} ids", *heldout]),
        "steps": f"{plan.steps:,} × {plan.sequences * plan.length:,} tokens ({plan.sequences:,} × {plan.length:,}) "
        f"= {format_count(plan.tokens)} tokens, {format_real(plan.epochs)} epochs",
        "recipe": f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, {recipe.schedule}, seed {recipe.seed}",
        "compute": f"{format_flops(plan.flops)} ({format_flops(plan.flops_per_token)} per token)",
        "memory": f"at least {format_bytes(plan.memory_bytes)}",
        "disk": f"at most {format_bytes(plan.disk_bytes)} ({saved}, and weights)",
    }
    return "\n".join(f"{name:<9}{text}" for name, text in rows.items())


def format_summary(record: RunRecord) -> str:
    """Return how a run ended: losses, speed, and the checks that failed.

    Raises ValueError for a record that slimlm does not write.
    """
    result = record.result or {}
    try:
        return "\n".join([*_outcome(result), *_losses(record), *_speed(record), *_checks(result)])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged_result(record.folder) from None


def _outcome(result: Mapping[str, Any]) -> Iterator[str]:
    tokens = format_count(result["tokens"])
    if result["status"] == "diverged":
        yield (
            f"DIVERGED at step {result['step']:,} ({tokens} tokens): recorded as a result, without weights; "
            "a lower learning rate or a longer warm-up would be the first things to try"
        )
    else:
        yield f"{result['status']} after {counted(result['step'], 'step')}, {tokens} tokens"
    yield from (f"note: {note}" for note in result["notes"])


def _losses(record: RunRecord) -> Iterator[str]:
    result = record.result or {}
    figures, data = result["evaluation"], record.run["data"]
    if result["loss"] is not None:
        yield f"training loss {result['loss']:.4f} nats per token"
    unit, own = data["unit"], set()
    for key in [key for key in figures if key.endswith(".nats_per_token")]:
        split = key.rpartition(".")[0]
        bits = figures[f"{split}.bits_per_{unit}"]
        own |= {key, f"{split}.bits_per_{unit}"}
        if bits is None or figures[key] is None:  # JSON has no nan
            yield f"{split.replace('_', ' ')} loss is not finite"
            continue
        floor = "" if data["entropy"] is None else _above(bits, data["entropy"] / math.log(2))
        yield f"{split.replace('_', ' ')} loss {figures[key]:.4f} nats per token = {bits:.4f} bits per {unit}{floor}"
    others = {key: value for key, value in figures.items() if key not in own}
    yield from (f"{key} is not finite" if value is None else f"{key} {value:.4f}" for key, value in others.items())


def _above(bits: float, floor: float) -> str:
    return f", {abs(bits - floor):.4f} {'above' if bits >= floor else 'below'} the entropy of the source, {floor:.4f}"


def _speed(record: RunRecord) -> Iterator[str]:
    """Yield the mean speed of all steps; the pauses for evaluation and checkpoints are not in it."""
    rows = [row for row in record.speed if row.keys() >= {"tokens_per_second", "mfu", "peak_memory_bytes"}]
    seconds = sum(row["seconds"] for row in rows)
    if not seconds:
        return
    rate, mfu = (sum(row[key] * row["seconds"] for row in rows) / seconds for key in ("tokens_per_second", "mfu"))
    memory = max(row["peak_memory_bytes"] for row in rows)
    yield (
        f"{format_seconds(seconds)} of steps, {rate:,.0f} tokens/s, MFU {format_share(mfu)}, "
        f"peak memory {format_bytes(memory)}"
    )


def _checks(result: Mapping[str, Any]) -> Iterator[str]:
    failed = [check for check in result["checks"] if not check["passed"]]
    if not failed and result["checks"]:
        yield f"{counted(len(result['checks']), 'check')} passed: {listed(check['name'] for check in result['checks'])}"
    for check in failed:
        yield f"CHECK FAILED: {check['name']} ({check['detail']}): do not trust the figures of this run"


def model_words(record: RunRecord, total_params: int) -> str:
    """Return a run's name for a chart: its size and data.

    >>> model_words(RunRecord(None, {"data": {"name": "prose.txt.xz"}}, [], [], None), 1_004_304)
    '1.004M parameters on prose.txt.xz'
    """
    return f"{format_count(total_params)} parameters on {record.run['data']['name']}"
