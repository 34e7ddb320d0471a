"""TrainRecipe: everything that determines a training run besides the model and the data."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from slimlm.core.architecture import Architecture
from slimlm.utils.validation import FieldError, Limits, check_fields, choice, documented, real, whole

Schedule = Literal["wsd", "cosine"]
Precision = Literal["auto", "float32", "bfloat16"]
OptimizerName = Literal["adamw", "muon"]
Parametrisation = Literal["standard", "completep"]
Switch = Literal["auto", "on", "off"]


def _optional_real(default: Any, low: float, high: float, *words: str, optional: bool = False) -> Any:
    limits = Limits(low, high, optional=optional, words=words, real_valued=True)
    return dataclasses.field(default=default, metadata={"limits": limits})


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """Optimizer, schedule, initialisation, precision and bookkeeping of one run.

    >>> TrainRecipe(tokens=1_000_000, batch_tokens=8192, sequence_length=128).sequences(128)
    64

    Raises FieldError for a field outside its limits and for fields that exclude each other.
    """

    tokens: int = documented(
        "Tokens to train on, rounded to whole batches. Data that is shorter is repeated in another order.",
        whole(20_000_000, 1, 10**15),
    )

    sequence_length: int | None = documented(
        "Tokens in a training sequence; None means the model's max_seq_length.", whole(None, 1, 100_000_000)
    )

    batch_tokens: int = documented(
        "Tokens of one optimizer step, over all processes: a multiple of the sequence length.",
        whole(16_384, 1, 10**9),
    )

    learning_rate: float = documented(
        "Highest learning rate of the schedule. The best value depends on the model: search for it.",
        real(4e-3, 1e-12, 100.0),
    )

    schedule: Schedule = documented(
        "Learning rate over the run: warm-up, constant, linear decay to 0 (warmup-stable-decay), or half a cosine.",
        choice("wsd", "cosine"),
    )

    warmup_share: float = documented(
        "Share of the steps in which the learning rate rises linearly. Short runs need a large share.",
        real(0.15, 0.0, 1.0),
    )

    decay_share: float = documented(
        "Share of the steps in which the learning rate falls to 0; the cosine falls in all steps after the warm-up.",
        real(0.25, 0.0, 1.0),
    )

    weight_decay: float = documented(
        "Decoupled weight decay of the blocks' matrices; embeddings, LM head, norms and biases have none.",
        real(0.1, 0.0, 100.0),
    )

    beta1: float = documented("Decay rate of AdamW's mean of gradients.", real(0.9, 0.0, 0.9999))

    beta2: float = documented("Decay rate of AdamW's mean of squared gradients.", real(0.95, 0.0, 0.999999))

    eps: float = documented("Constant added to AdamW's denominator.", real(1e-8, 1e-30, 1.0))

    clip: float = documented("Largest norm of the gradient, which longer ones are scaled to.", real(1.0, 1e-6, 1e6))

    micro_batch: int | None = documented(
        "Sequences in a forward pass; None means all of the batch. Fewer take less memory: gradients are accumulated.",
        whole(None, 1, 10**9),
    )

    precision: Precision = documented(
        'Precision of matrix products; weights stay float32. "auto": bfloat16 on CUDA, float32 elsewhere.',
        choice("auto", "float32", "bfloat16"),
    )

    optimizer: OptimizerName = documented(
        "AdamW for all weights, or Muon for the blocks' matrices and AdamW for the others.", choice("adamw", "muon")
    )

    parametrisation: Parametrisation = documented(
        "Standard, or CompleteP (arXiv 2505.01618): one learning rate suits all widths and depths.",
        choice("standard", "completep"),
    )

    embedding_std: float | Literal["auto", "width"] = documented(
        'Initial standard deviation of embeddings; "width" is 1 / √d_model. "auto" is 0.05, or 1/16 with CompleteP.',
        _optional_real("auto", 1e-6, 10.0, "auto", "width"),
    )

    output_std: float | Literal["auto", "depth"] = documented(
        'Initial standard deviation of the projections into the residual stream; "depth" is 0.02 / √(2 · n_layers). '
        '"auto" is "depth", or 0.02 with CompleteP, which scales it itself.',
        _optional_real("auto", 1e-9, 10.0, "auto", "depth"),
    )

    dropout: float | None = documented(
        "Dropout probability everywhere, attention weights included; None keeps the design's.",
        _optional_real(None, 0.0, 0.99, optional=True),
    )

    seed: int = documented("Seed of the initial weights, the order of the data and dropout.", whole(0, 0, 2**32 - 1))

    compile: Switch = documented('Compile the blocks and the loss. "auto": on CUDA.', choice("auto", "on", "off"))

    cuda_graph: Switch = documented(
        'Replay the whole step as one CUDA graph. "auto": where it can be captured.', choice("auto", "on", "off")
    )

    deterministic: bool = documented(
        "Use deterministic kernels alone, so that a run on CUDA can be repeated exactly; slower there.", False
    )

    log_every: int = documented("Steps between two rows of the metrics.", whole(10, 1, 10**9))

    evaluate_every: int | None = documented(
        "Training tokens between two evaluations; None means a tenth of the run.", whole(None, 1, 10**15)
    )

    evaluate_tokens: int | None = documented(
        "Held-out tokens of an evaluation in the metrics; None means all. The result of the run is of all.",
        whole(None, 2, 10**15),
    )

    checkpoint_every: int | None = documented(
        "Training tokens between two checkpoints; None means a tenth of the run.", whole(None, 1, 10**15)
    )

    keep: int = documented("Checkpoints to keep, beside the weights of the best evaluation.", whole(2, 1, 1000))

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_schedule()
        self._check_batch()
        self._check_completep()

    def _check_schedule(self) -> None:
        left = 1 - self.warmup_share
        if self.schedule == "wsd" and self.decay_share > left + 1e-9:
            raise FieldError(
                "decay_share",
                self.decay_share,
                "warm-up and decay must not overlap",
                (("decay_share", round(left, 6)),),
                (("warmup_share", self.warmup_share),),
            )

    def _check_batch(self) -> None:
        if self.sequence_length is not None:
            self.sequences(self.sequence_length)

    def _check_completep(self) -> None:
        if self.parametrisation != "completep":
            return
        given = (("parametrisation", "completep"),)
        if self.optimizer == "muon":
            raise FieldError("optimizer", "muon", "CompleteP is defined for AdamW", (("optimizer", "adamw"),), given)
        for name in ("embedding_std", "output_std"):
            if (value := getattr(self, name)) in ("width", "depth"):
                rule = "CompleteP scales initial weights itself, from a number"
                raise FieldError(name, value, rule, ((name, "auto"),), given)

    def length_in(self, architecture: Architecture) -> int:
        """Return the tokens of a sequence; raises FieldError beyond the model's max_seq_length."""
        longest = architecture.max_seq_length
        if self.sequence_length is not None and self.sequence_length > longest:
            raise FieldError(
                "sequence_length",
                self.sequence_length,
                f"the model takes max_seq_length={longest} tokens at most",
                (("sequence_length", longest),),
            )
        return self.sequence_length or longest

    def sequences(self, length: int, processes: int = 1) -> int:
        """Return the sequences of a batch over all processes.

        Raises FieldError for a batch that is not made of whole sequences, or of whole micro-batches for each process.
        """
        found, rest = divmod(self.batch_tokens, length)
        if rest or not found:
            near = max(1, round(self.batch_tokens / length)) * length
            rule, remedy = f"it must be a multiple of the sequence length {length}", (("batch_tokens", near),)
            raise FieldError("batch_tokens", self.batch_tokens, rule, remedy)
        if found % processes:
            rule = f"its {found} sequences must be divided among {processes} processes"
            more = -(-found // processes) * processes * length
            raise FieldError("batch_tokens", self.batch_tokens, rule, (("batch_tokens", more),))
        share = found // processes
        if self.micro_batch is not None and share % self.micro_batch:
            working = max(n for n in range(1, min(self.micro_batch, share) + 1) if share % n == 0)
            rule = f"it must divide the {share} sequences of a batch"
            raise FieldError("micro_batch", self.micro_batch, rule, (("micro_batch", working),))
        return found

    @property
    def steps(self) -> int:
        """Optimizer steps: the tokens in whole batches, at least one."""
        return max(1, round(self.tokens / self.batch_tokens))

    def every(self, tokens: int | None) -> int:
        """Return an interval in steps: that of a number of tokens, or a tenth of the run."""
        return max(1, round((self.steps / 10) if tokens is None else tokens / self.batch_tokens))

    @property
    def digest(self) -> str:
        """sha256 of all fields."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()
