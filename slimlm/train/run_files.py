"""What a run writes into its folder; without a folder, or in other processes than the first, only rows are kept."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from slimlm.model.language_model import LanguageModel
from slimlm.runs.record import (
    BEST,
    CHECKPOINTS,
    METRICS,
    RESULT,
    RUN,
    SPEED,
    RowWriter,
    read_rows,
    read_speed,
    write_record,
)
from slimlm.train.checkpoint import Checkpoint, drop_half_written, start_digest, write_checkpoint
from slimlm.utils.files import UnwritableError, reason, remove
from slimlm.utils.formatting import format_bytes


def written_bytes(folder: Path) -> int:
    """Return the bytes that the checkpoints and weights of a run take on the disk already."""
    found = [
        folder / "model.safetensors",
        *(path for name in (CHECKPOINTS, BEST) for path in (folder / name).rglob("*")),
    ]
    return sum(path.stat().st_size for path in found if path.is_file())


@contextmanager
def writing(folder: Path, needed: int) -> Iterator[None]:
    """Let errors of the disk inside tell what a run of `needed` bytes lacks, and how it goes on.

    Raises UnwritableError.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        below = error.__cause__ if isinstance(error, UnwritableError) else None
        cause = below if isinstance(below, Exception) else error
        try:
            free = f"{format_bytes(shutil.disk_usage(folder).free)} are free"
        except OSError:  # the disk is gone
            free = "its disk is not there"
        raise UnwritableError(
            f"folder={str(folder)!r} cannot be written: {reason(cause)}; the run needs {format_bytes(needed)} there in "
            f"all, and {free}: with more space, resuming it would work"
        ) from cause


class RunFiles:
    """The records of one run."""

    def __init__(self, folder: Path | None, keep: int, needed: int) -> None:
        self.folder = folder
        self._needed = needed
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
        with writing(self.folder, self._needed):
            self._begin(self.folder, spec, metrics_bytes)

    def _begin(self, folder: Path, spec: Mapping[str, Any], metrics_bytes: int) -> None:
        drop_half_written(folder)
        for part in (path for home in (folder, folder / BEST) for path in home.glob(".*.part")):
            remove(part)
        if not (folder / RUN).exists():
            write_record(folder / RUN, spec)
        self._metrics_out = RowWriter(folder / METRICS, metrics_bytes)
        self.metrics = list(read_rows(folder / METRICS))
        speed = folder / SPEED
        self.speed = read_speed(speed)
        whole = speed.read_bytes().rfind(b"\n") + 1 if speed.exists() else 0  # without a line cut off by a crash
        self._speed_out = RowWriter(speed, whole)

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Add a row of deterministic values."""
        self.metrics.append(row)
        self._write(self._metrics_out, row)

    def add_speed(self, row: dict[str, Any]) -> None:
        """Add a row of times."""
        self.speed.append(row)
        self._write(self._speed_out, row)

    def _write(self, out: RowWriter | None, row: Mapping[str, Any]) -> None:
        if self.folder is not None and out is not None:
            with writing(self.folder, self._needed):
                out.write(row)

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
        with writing(self.folder, self._needed):
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

        with writing(self.folder, self._needed):
            save_pretrained(model, self.folder / BEST)
            write_record(self.folder / BEST / "best.json", {"step": step, "nats_per_token": nats_per_token})

    def finish(self, model: LanguageModel | None, result: Mapping[str, Any]) -> None:
        """Write the final weights, if there are any, and then the result, which ends the run."""
        if self.folder is None:
            return
        from slimlm.model.pretrained import save_pretrained

        with writing(self.folder, self._needed):
            if model is not None:
                save_pretrained(model, self.folder)
            write_record(self.folder / RESULT, result)

    def close(self) -> None:
        """Close all files."""
        for out in (self._metrics_out, self._speed_out):
            if out:
                out.close()
