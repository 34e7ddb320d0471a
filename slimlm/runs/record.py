"""Files of a run's folder: written whole or not at all, and read without PyTorch.

run.json holds what determines the run, metrics.jsonl deterministic values by step, speed.jsonl times, result.json how
the run ended, and checkpoints/ the states that it can be resumed from.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.utils.files import check_own, naming, read_bytes, read_json, reason, remove
from slimlm.utils.text import one_line, shown

FORMAT = "slimlm-run-1"
RUN, METRICS, SPEED, RESULT = "run.json", "metrics.jsonl", "speed.jsonl", "result.json"
CHECKPOINTS, BEST = "checkpoints", "best"
OWN_FILES = (RUN, METRICS, SPEED, RESULT, "slimlm.json", "model.safetensors")
"""Files that a run writes into its folder, and into no other by a link."""

MAX_BYTES = 1_000_000
"""A run.json has some 4 kB."""
_LONGEST_PATH = 80
_MAX_LINES_BYTES = 2**30
_LONGEST = 1e15
"""Of times and rates in speed.jsonl."""

COMPARED = ("architecture", "request", "recipe", "data", "setting", "hooks")
"""Parts of run.json that must be equal for a run to be resumed."""

_WITH_DEFAULTS: dict[str, type[Architecture | ModelConfig]] = {"architecture": Architecture, "request": ModelConfig}


@dataclass(frozen=True)
class RunRecord:
    """What a run's folder says."""

    folder: Path
    run: Mapping[str, Any]
    """Architecture, request, recipe, data, setting (device, precision, processes), plan and versions."""
    metrics: list[dict[str, Any]] = field(repr=False)
    """Rows by step: step, tokens, loss (nats), learning_rate, gradient_norm, and perhaps evaluation."""
    speed: list[dict[str, Any]] = field(repr=False)
    """Rows by step: seconds, tokens_per_second, mfu, peak_memory_bytes."""
    result: Mapping[str, Any] | None
    """status ("finished", "diverged"), step, tokens, flops, loss, evaluation of whole splits, notes and checks.

    None while the run is not over.
    """


def read_run(folder: Path) -> RunRecord:
    """Return the record of a run that is over or still goes on.

    Raises ValueError for a folder without a run, and for files that cannot be read.
    """
    if (run := read_record(folder / RUN)) is None:
        raise ValueError(f"folder={str(folder)!r} holds no {RUN}; the folder of a training run would work")
    if run.get("format") != FORMAT:
        raise ValueError(f"{RUN} has format={shown(run.get('format'))}; it must be {FORMAT!r}")
    return RunRecord(
        folder,
        run,
        list(read_rows(folder / METRICS)),
        read_speed(folder / SPEED),
        read_record(folder / RESULT),
    )


def damaged_result(folder: Path) -> ValueError:
    """Return the error of a result.json that slimlm does not write."""
    remedy = "resuming the run after deleting that file would work"
    return ValueError(f"{folder / RESULT} is damaged: it is not what slimlm writes; {remedy}")


def read_record(file: Path) -> dict[str, Any] | None:
    """Return the object of a JSON file; None when there is no such file.

    Raises ValueError for a file that cannot be read, and for one that holds no object.
    """
    if not file.exists():
        return None
    found = read_json(read_bytes(file, file.name, MAX_BYTES), file.name, MAX_BYTES)
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} must hold a JSON object")
    return found


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines; a last line that is still being written is left out."""
    if not file.exists():
        return
    *lines, _ = read_bytes(file, file.name, _MAX_LINES_BYTES).split(b"\n")
    for number, line in enumerate(lines, start=1):
        row = read_json(line, f"line {number} of {file.name}", MAX_BYTES)
        if not isinstance(row, dict):
            raise ValueError(f"line {number} of {file.name} must be a JSON object")
        yield row


def read_speed(file: Path) -> list[dict[str, Any]]:
    """Return the rows of times; a damaged line costs that line alone, as no result depends on it.

    Raises ValueError for a file that cannot be read at all.
    """
    try:
        lines = read_bytes(file, file.name, _MAX_LINES_BYTES).split(b"\n")[:-1] if file.exists() else []
    except ValueError as error:
        raise ValueError(f"{error}; deleting it would work too, as it holds times alone") from None
    return [row for line in lines if (row := _speed_row(line))]


def _speed_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = read_json(line, SPEED, MAX_BYTES)
    except ValueError:
        return None
    is_row = isinstance(row, dict) and "seconds" in row and all(map(_is_time, row.values()))
    return row if is_row else None


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LONGEST  # type: ignore[operator]


def first_difference(saved: object, wanted: object, path: str = "") -> str | None:
    """Return the first field in which two records differ, with both values; None when they are equal.

    >>> first_difference({"recipe": {"seed": 0, "clip": 1.0}}, {"recipe": {"seed": 1, "clip": 1.0}})
    'recipe.seed=0 is now 1'
    """
    if isinstance(saved, Mapping) and isinstance(wanted, Mapping):
        for name in [*wanted, *(name for name in saved if name not in wanted)]:
            inner = f"{path}.{name}" if path else str(name)
            if found := first_difference(saved.get(name), wanted.get(name), inner):
                return found
        return None
    return None if saved == wanted else f"{one_line(path, _LONGEST_PATH)}={shown(saved)} is now {shown(wanted)}"


def change_of_run(earlier: Mapping[str, Any], wanted: Mapping[str, Any], parts: Iterable[str] = COMPARED) -> str | None:
    """Return the first difference between a run.json and the one that would be written; None when they are equal.

    A run.json of an earlier version lacks fields that have been added since: they were at their default.
    """
    kept, new = ({name: _completed(name, record.get(name)) for name in parts} for record in (earlier, wanted))
    return first_difference(kept, new)


def _completed(part: str, saved: Any) -> Any:
    """Return a part of a run.json with the defaults of fields that it lacks."""
    if part not in _WITH_DEFAULTS or not isinstance(saved, Mapping):
        return saved
    optional = (field for field in fields(_WITH_DEFAULTS[part]) if field.default is not MISSING)
    return {field.name: finite(field.default) for field in optional} | dict(saved)


def write_record(file: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object so that the file is there whole or not at all, even after a loss of power.

    Raises OSError, with the name of the file, when it cannot be written; an earlier one then stays.
    """
    temporary = file.with_name(f".{file.name}.part")
    try:
        with naming(file):
            remove(temporary)  # a link there is not followed
            with temporary.open("x", encoding="utf-8") as out:
                out.write(json.dumps(finite(record), indent=2, allow_nan=False) + "\n")
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder's files durable, where the system can."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def finite(value: Any) -> Any:
    """Return a value for JSON, which has no NaN and no infinity: they become None."""
    if isinstance(value, Mapping):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class RowWriter:
    """Appends JSON lines to a file, from a byte position on; what stood there is cut off."""

    def __init__(self, file: Path, position: int = 0) -> None:
        self._out = file.open("r+b" if file.exists() else "w+b")
        self._out.truncate(position)
        self._out.seek(position)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; readers see it at once."""
        self._out.write(json.dumps(finite(row), allow_nan=False).encode() + b"\n")
        self._out.flush()

    def sync(self) -> int:
        """Make all rows durable, and return the size of the file in bytes."""
        os.fsync(self._out.fileno())
        return self._out.tell()

    def close(self) -> None:
        """Close the file; a row that the disk did not take is dropped."""
        with suppress(OSError):
            self._out.close()


def check_folder(folder: Path, spec: Mapping[str, Any], *, resume: bool) -> Mapping[str, Any] | None:
    """Create the folder of a run or check that it holds this run; return the earlier run.json, None for a new run.

    `spec` is the run.json that would be written. Resuming where there is nothing yet starts the run.

    Raises ValueError for a folder that cannot be written, that holds a run (unless it is resumed), another run, or
    files that would be overwritten though they are of no run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise ValueError(f"folder={str(folder)!r} cannot be created: {reason(error)}; another would work") from None
    if not writable:
        raise ValueError(f"folder={str(folder)!r} cannot be written: another would work")
    if (earlier := read_record(folder / RUN)) is None:
        for name in ("slimlm.json", "model.safetensors", METRICS, SPEED, RESULT, CHECKPOINTS, BEST):
            if os.path.lexists(folder / name):
                raise ValueError(f"folder={str(folder)!r} holds {name} but no {RUN}; an empty folder would work")
        return None
    check_own(folder, files=OWN_FILES, folders=(CHECKPOINTS, BEST))
    if difference := change_of_run(earlier, finite(spec)):
        raise ValueError(f"folder={str(folder)!r} holds another run: {difference}; another folder would work")
    if not resume:
        raise ValueError(f"folder={str(folder)!r} holds this run already; resuming it or another folder would work")
    return earlier
