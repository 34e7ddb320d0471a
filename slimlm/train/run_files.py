"""What a run writes into its folder; without a folder, or in other processes than the first, only rows are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from slimlm.model.language_model import LanguageModel
from slimlm.runs.record import BEST, METRICS, RESULT, RUN, SPEED, RowWriter, read_rows, read_speed, write_record
from slimlm.train.checkpoint import Checkpoint, start_digest, write_checkpoint
from slimlm.utils.files import remove


class RunFiles:
    """The records of one run."""

    def __init__(self, folder: Path | None, keep: int) -> None:
        self.folder = folder
        self.metrics: list[dict[str, Any]] = []
        self.speed: list[dict[str, Any]] = []
        self._keep = keep
        self._metrics_out: RowWriter | None = None
        self._speed_out: RowWriter | None = None

    def begin(self, spec: Mapping[str, Any], metrics_bytes: int) -> None:
        """Write run.json where there is none, and cut the metrics at the position of a checkpoint.

        Files that a killed process has left half written are deleted.
        """
        if self.folder is None:
            return
        for part in (path for home in (self.folder, self.folder / BEST) for path in home.glob(".*.part")):
            remove(part)
        if not (self.folder / RUN).exists():
            write_record(self.folder / RUN, spec)
        self._metrics_out = RowWriter(self.folder / METRICS, metrics_bytes)
        self.metrics = list(read_rows(self.folder / METRICS))
        speed = self.folder / SPEED
        self.speed = read_speed(speed)
        whole = speed.read_bytes().rfind(b"\n") + 1 if speed.exists() else 0  # without a line cut off by a crash
        self._speed_out = RowWriter(speed, whole)

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Add a row of deterministic values."""
        self.metrics.append(row)
        if self._metrics_out:
            self._metrics_out.write(row)

    def add_speed(self, row: dict[str, Any]) -> None:
        """Add a row of times."""
        self.speed.append(row)
        if self._speed_out:
            self._speed_out.write(row)

    def write_checkpoint(
        self,
        step: int,
        state: Mapping[str, Any],
        weights: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor],
        generators: Mapping[str, Tensor],
    ) -> None:
        """Write a checkpoint, once all rows before it are durable."""
        if self.folder is None or self._metrics_out is None:
            return
        size = self._metrics_out.sync()
        position = {"metrics_bytes": size, "metrics_sha256": start_digest(self.folder / METRICS, size)}
        write_checkpoint(
            self.folder, Checkpoint(step, {**state, **position}, weights, optimizer, generators), self._keep
        )

    def write_best(self, model: LanguageModel, step: int, nats_per_token: float) -> None:
        """Replace the best weights."""
        if self.folder is None:
            return
        from slimlm.model.pretrained import save_pretrained

        save_pretrained(model, self.folder / BEST)
        write_record(self.folder / BEST / "best.json", {"step": step, "nats_per_token": nats_per_token})

    def finish(self, model: LanguageModel | None, result: Mapping[str, Any]) -> None:
        """Write the final weights, if there are any, and then the result, which ends the run."""
        if self.folder is not None:
            from slimlm.model.pretrained import save_pretrained

            if model is not None:
                save_pretrained(model, self.folder)
            write_record(self.folder / RESULT, result)

    def close(self) -> None:
        """Close all files."""
        for out in (self._metrics_out, self._speed_out):
            if out:
                out.close()
