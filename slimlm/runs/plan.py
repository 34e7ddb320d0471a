"""Estimate of a run before it starts: steps, repetitions of the data, operations, memory and disk."""

from dataclasses import dataclass

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.costs.activations import training_memory
from slimlm.costs.compute import forward_flops
from slimlm.costs.memory import TrainingPrecision
from slimlm.runs.recipe import TrainRecipe
from slimlm.utils.formatting import format_bytes
from slimlm.utils.validation import FieldError


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What a run will do."""

    steps: int
    sequences: int
    """Sequences of a batch, over all processes."""
    length: int
    """Tokens of a sequence."""
    tokens: int
    epochs: float
    """How often the training split is seen."""
    total_params: int
    flops_per_token: int
    """Forward and backward pass, with the full square of attention (`slimlm.costs.compute`)."""
    memory_bytes: int
    """Weights, gradients, moments and activations (`slimlm.costs.activations`), without those of the framework."""
    checkpoint_bytes: int
    disk_bytes: int
    """All checkpoints that are kept, the one being written, the best and the final weights."""

    @property
    def flops(self) -> int:
        """Operations of the whole run."""
        return self.tokens * self.flops_per_token

    def seconds(self, flops_per_second: float) -> float:
        """Return the time of all steps at a number of operations per second that is really reached."""
        return self.flops / flops_per_second

    def check_space(self, free_disk: int | None, free_memory: int | None) -> None:
        """Raise ValueError when the run needs more bytes than are free; None is not checked."""
        if free_disk is not None and self.disk_bytes > free_disk:
            raise ValueError(
                f"the run needs {format_bytes(self.disk_bytes)} on disk, but {format_bytes(free_disk)} are free; "
                "another folder or a lower keep would work"
            )
        if free_memory is not None and self.memory_bytes > free_memory:
            raise ValueError(
                f"the run needs at least {format_bytes(self.memory_bytes)} of memory, but {format_bytes(free_memory)} "
                "are free; a lower micro_batch or a smaller model would work"
            )


def plan_run(
    architecture: Architecture,
    recipe: TrainRecipe,
    *,
    train_tokens: int,
    vocab_size: int | None = None,
    processes: int = 1,
) -> RunPlan:
    """Return the plan of a run on a training split of `train_tokens` tokens with ids below `vocab_size`.

    Raises ValueError for a sequence longer than the model takes, a batch that cannot be divided, a vocabulary that has
    more ids than the model, and fewer tokens than a batch.
    """
    length = recipe.length_in(architecture)
    sequences = recipe.sequences(length, processes)
    if vocab_size is not None and vocab_size > architecture.vocab_size:
        rule = f"the data has ids up to {vocab_size - 1}, and each needs a row of the embedding"
        raise FieldError("vocab_size", architecture.vocab_size, rule, (("vocab_size", vocab_size),))
    if (windows := max(0, (train_tokens - 1) // length)) < sequences:
        raise ValueError(
            f"the data has {train_tokens:,} training tokens, fewer than one batch of {sequences:,} sequences of "
            f"{length:,} tokens; more data or a lower batch_tokens would work"
        )
    found = account(architecture)
    steps = recipe.steps
    weights = 4 * found.total_params
    checkpoint = 3 * weights  # with two moments; Muon has one
    rows = recipe.micro_batch or sequences // processes
    states: TrainingPrecision = "fp32" if recipe.precision == "float32" else "mixed_fp32_gradients"
    return RunPlan(
        steps=steps,
        sequences=sequences,
        length=length,
        tokens=steps * recipe.batch_tokens,
        epochs=steps * sequences / windows,
        total_params=found.total_params,
        flops_per_token=forward_flops(found, length).training_flops_per_token,
        memory_bytes=training_memory(found, length, rows, states).total_bytes,
        checkpoint_bytes=checkpoint,
        disk_bytes=(recipe.keep + 1) * checkpoint + 2 * weights,
    )
