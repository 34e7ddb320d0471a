"""The training loop: `train` runs a recipe on a design and data, and resumes it exactly."""

import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.data.token_data import TokenData
from slimlm.evaluation.hooks import Hook
from slimlm.model.language_model import LanguageModel
from slimlm.runs.lock import sole_writer
from slimlm.runs.plan import RunPlan, plan_run
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import RESULT, check_folder, read_record
from slimlm.solver.solver import solve
from slimlm.train.batches import Batches
from slimlm.train.checkpoint import Checkpoint, latest_checkpoint, load_weights
from slimlm.train.checks import (
    Check,
    check_causality,
    check_floor,
    check_initial_loss,
    check_recipe,
    check_targets,
    repeated_share,
)
from slimlm.train.evaluate import Evaluation, check_heldout, evaluate
from slimlm.train.initial_weights import initialise
from slimlm.train.processes import Processes, joined_processes
from slimlm.train.result import RunResult, Status, past_result, result_record
from slimlm.train.run_files import RunFiles, writing, written_bytes
from slimlm.train.schedule import rate_factor
from slimlm.train.setting import determinism, free_bytes, own_generators, run_spec, training_device
from slimlm.train.speed import SpeedMeter
from slimlm.train.step import Totals, TrainStep, working_stream
from slimlm.utils.progress import Progress, Reporter

WORSE = 0.5
"""Nats above the first loss, and above that of guessing, at the end of a run that counts as diverged."""


def train(
    source: ModelConfig | Design | Architecture,
    recipe: TrainRecipe,
    data: TokenData,
    out: Path | None = None,
    *,
    resume: bool = False,
    hooks: Mapping[str, Hook] | None = None,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Train a model from scratch, and write records, checkpoints and weights into a folder if one is given.

    `resume` goes on from the latest undamaged checkpoint, with results that are byte for byte those of a run that was
    never interrupted (on the same software and device; on CUDA with `deterministic`). It starts a run that is not there
    yet and returns the result of one that is over. Under torchrun, processes share each batch and average gradients.

    Divergence is a result, not an error; see `RunResult.checks` for faults. torch's global random number generators
    stay as they were.

    Raises ValueError before any work, in one sentence, for a run that cannot be: see `plan_run` and `check_folder`; and
    UnwritableError for a disk that is full or gone, which leaves the last checkpoint as it is.
    """
    design = solve(source) if isinstance(source, ModelConfig) else source
    target = training_device(device)
    folder = None if out is None else Path(out)
    architecture = design.architecture if isinstance(design, Design) else design
    with ExitStack() as stack:
        if target.type == "cuda":  # where NCCL and new tensors of this process belong
            stack.enter_context(torch.cuda.device(target))
        processes = stack.enter_context(joined_processes(target.type))
        tokens, ids = len(data.train), data.vocab_size
        plan = plan_run(architecture, recipe, train_tokens=tokens, vocab_size=ids, processes=processes.count)
        check_heldout(data, recipe.evaluate_tokens)
        spec = run_spec(design, recipe, data, target, processes) | {"hooks": list(hooks or {}), "plan": asdict(plan)}
        if folder is not None and processes.is_first:
            check_folder(folder, spec, resume=resume)
            with writing(folder, plan.disk_bytes):
                stack.enter_context(sole_writer(folder))
            check_folder(folder, spec, resume=resume)  # another process may have begun before
        processes.wait()
        if folder is not None:
            if (result := read_record(folder / RESULT)) is not None:
                return past_result(folder, result, plan, target)
            plan.check_space(shutil.disk_usage(folder).free + written_bytes(folder), free_bytes(target))
        stack.enter_context(own_generators(target, recipe.seed + processes.rank))
        stack.enter_context(determinism(recipe.deterministic))
        stack.enter_context(working_stream(target))
        run = _Run(design, recipe, data, plan, target, processes, hooks or {}, folder)
        stack.callback(run.files.close)
        return run.run(spec, progress, resume)


class _Run:
    """One run in this process."""

    def __init__(
        self,
        design: Design | Architecture,
        recipe: TrainRecipe,
        data: TokenData,
        plan: RunPlan,
        device: torch.device,
        processes: Processes,
        hooks: Mapping[str, Hook],
        out: Path | None,
    ) -> None:
        self.recipe, self.data, self.plan, self.device = recipe, data, plan, device
        self.processes, self.hooks, self.out = processes, hooks, out
        self.files = RunFiles(out if processes.is_first else None, recipe.keep, plan.disk_bytes)
        self.model = LanguageModel(design, device=device, initialise=False)
        initialise(self.model, recipe)
        self.batches = Batches(
            data,
            seed=recipe.seed,
            sequences=plan.sequences,
            length=plan.length,
            device=device,
            processes=processes,
        )
        self.checks: dict[str, Check] = {}
        self.best: float | None = None
        self.repeated = 0.0
        self.status: Status = "finished"

    def run(self, spec: Mapping[str, Any], progress: Progress | None, resume: bool) -> RunResult:
        """Train from the start or from the latest checkpoint to the end."""
        saved = latest_checkpoint(self.out) if self.out is not None and resume else None
        if saved is None:
            self._check_start()
        else:
            for check in saved.state["checks"]:  # first, so that a resumed run lists them in the same order
                self._note(Check.from_record(check))
        self.step = TrainStep(
            self.model, self.recipe, sequences=self.plan.sequences // self.processes.count, processes=self.processes
        )
        self._note(check_recipe(self.step, untrained=saved is None))
        if saved is not None:
            self._restore(saved)
        self.files.begin(spec, saved.state["metrics_bytes"] if saved else 0)
        self.meter = SpeedMeter(self.device, self.plan.flops_per_token, self.step.precision)
        self.report = Reporter(progress)
        self._loop(saved.step if saved else 0)
        return self._finish()

    def _check_start(self) -> None:
        windows = self.batches[0]
        self.repeated = repeated_share(windows)
        self._note(check_targets(windows))
        self._note(check_causality(self.model, windows))

    def _note(self, check: Check) -> None:
        """Keep a check; one that has failed stays failed."""
        if (kept := self.checks.get(check.name)) is None or kept.passed:
            self.checks[check.name] = check

    def _loop(self, first: int) -> None:
        steps = self.plan.steps
        self.step.begin_at(first)
        loss = ""
        for number in range(first, steps):
            self.step(self.batches[number], rate_factor(self.recipe, number))
            if number + 1 < steps:
                self.batches.prepare(number + 1)
            done = number + 1
            self.meter.add(self.recipe.batch_tokens)
            if self._is_logged(done):
                totals = self.step.read()
                self._record(done, totals)
                loss = f", loss {totals.loss:.3f}"
                if self.status == "diverged":
                    break
            self.report((done - first) / (steps - first), "training", f": step {done:,} of {steps:,}{loss}")

    def _is_logged(self, done: int) -> bool:
        often = (self.recipe.log_every, self._evaluate_every, self._checkpoint_every)
        return done in (1, self.plan.steps) or any(done % every == 0 for every in often)

    @property
    def _evaluate_every(self) -> int:
        return self.recipe.every(self.recipe.evaluate_every)

    @property
    def _checkpoint_every(self) -> int:
        return self.recipe.every(self.recipe.checkpoint_every)

    def _record(self, done: int, totals: Totals) -> None:
        """Write the rows of a step, then what is due: evaluation, best weights, checkpoint."""
        last = done == self.plan.steps
        self.files.add_speed({"step": done, **self.meter.read()})
        self.meter.pause()
        row = self._row(done, totals)
        if totals.first_bad is not None:
            self.status = "diverged"
        elif last or done % self._evaluate_every == 0:
            self._evaluate(row, done)
        self.files.add_metrics(row)
        if self.status != "diverged" and (last or done % self._checkpoint_every == 0):
            self._checkpoint(done)
        self.meter.go_on()

    def _row(self, done: int, totals: Totals) -> dict[str, Any]:
        if done == 1:
            self._note(check_initial_loss(totals.loss, self.model.architecture, self.recipe, self.repeated))
        row = {
            "step": done,
            "tokens": done * self.recipe.batch_tokens,
            "loss": totals.loss,
            "learning_rate": self.recipe.learning_rate * rate_factor(self.recipe, done - 1),
            "gradient_norm": totals.gradient_norm,
        }
        return row if totals.first_bad is None else {**row, "diverged_at": totals.first_bad}

    def _evaluate(self, row: dict[str, Any], done: int) -> None:
        if not self.processes.is_first:
            return
        found = self._evaluation(self.hooks, self.recipe.evaluate_tokens)
        row["evaluation"] = dict(found.figures)
        value = found.criterion
        if value is not None and not math.isnan(value) and (self.best is None or value < self.best):
            self.best = value
            self.files.write_best(self.model, done, value)

    def _evaluation(self, hooks: Mapping[str, Hook], most_tokens: int | None) -> Evaluation:
        with self.step.evaluating():
            beat, length = partial(self.report.beat, "evaluating"), self.plan.length
            found = evaluate(self.model, self.data, length=length, hooks=hooks, most_tokens=most_tokens, beat=beat)
        for check in (*found.checks, check_floor(list(found.losses.values()), self.data.entropy)):
            self._note(check)
        return found

    def _final_evaluation(self, last: Mapping[str, Any]) -> dict[str, float]:
        """Return the figures of the last row, with those of whole held-out splits."""
        figures = dict(last.get("evaluation", {}))
        if self.recipe.evaluate_tokens is not None and self.status == "finished" and self.processes.is_first:
            figures |= self._evaluation({}, None).figures
        return figures

    def _checkpoint(self, done: int) -> None:
        generators = self._generators()
        state = {"best": self.best, "checks": [asdict(check) for check in self.checks.values()]}
        weights = dict(self.model.named_parameters())
        self.files.write_checkpoint(done, state, weights, self.step.optimizers.state(), generators)

    def _generators(self) -> dict[str, Tensor]:
        """Return the states of torch's generators in every process, by "device.rank"."""
        found = {f"cpu.{rank}": state for rank, state in enumerate(self._gathered(torch.get_rng_state()))}
        if self.device.type == "cuda":
            states = self._gathered(torch.cuda.get_rng_state(self.device))
            found |= {f"cuda.{rank}": state for rank, state in enumerate(states)}
        return found

    def _gathered(self, state: Tensor) -> list[Tensor]:
        on_device = state.to(self.device) if self.device.type == "cuda" and self.processes.count > 1 else state
        return [found.cpu() for found in self.processes.gather(on_device)]

    def _restore(self, saved: Checkpoint) -> None:
        load_weights(dict(self.model.named_parameters()), saved.weights)
        self.step.optimizers.restore(saved.optimizer)
        torch.set_rng_state(saved.generators[f"cpu.{self.processes.rank}"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(saved.generators[f"cuda.{self.processes.rank}"], self.device)
        self.best = saved.state["best"]

    def _finish(self) -> RunResult:
        last = self.files.metrics[-1]
        losses = [row["loss"] for row in self.files.metrics]
        guessing = math.log(self.model.architecture.vocab_size)
        if self.status == "finished" and losses[-1] > max(losses[0], guessing) + WORSE:
            self.status = "diverged"
        result = RunResult(
            status=self.status,
            step=last.get("diverged_at", last["step"]),
            tokens=last["tokens"],
            loss=last["loss"] if math.isfinite(last["loss"]) else None,
            evaluation=self._final_evaluation(last),
            checks=tuple(self.checks.values()),
            notes=tuple(self.step.notes),
            plan=self.plan,
            metrics=self.files.metrics,
            speed=self.files.speed,
            model=self.model.eval() if self.status == "finished" else None,
            folder=self.out,
        )
        self.files.finish(result.model, result_record(result))
        return result
