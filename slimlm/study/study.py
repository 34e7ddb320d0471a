"""A study and its folder: study.json, the runs below runs/, or the records of all runs in one file."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from slimlm.runs.record import RESULT, RUN, RunRecord, finite, read_record, read_run, write_record
from slimlm.study.cells import StudyCell, data_sizes, predicted_order, study_cells
from slimlm.study.outcome import Outcome, metrics_of, outcome_of
from slimlm.study.request import StudyRequest, request_from_record
from slimlm.utils.files import check_own, read_bytes, read_json, replacing
from slimlm.utils.text import is_unicode, one_line, shown

FORMAT = "slimlm-study-1"
STUDY, RUNS, PACKED, VERDICT = "study.json", "runs", "records.jsonl", "verdict.json"
OWN_FILES = (STUDY, PACKED, VERDICT)
"""Files that are written into the folder of a study, and into no other by a link."""
_KEY = re.compile(r"\w[\w-]{0,63}", re.ASCII)
_MOST_BYTES = 2**28
_MOST_COUNTED = 10**15
"""Of ids, tokens, and bytes of a token."""
_LONGEST_REASON = 200


@dataclass(frozen=True)
class StudyData:
    """The text of a study in the tokens of one vocabulary size."""

    name: str
    digest: str
    vocab_size: int
    """Ids of the data: at most those of the model."""
    train_tokens: int
    unit: str
    """What losses are bits per: "byte" or "symbol"."""
    entropy: float | None = None
    """Lowest possible loss in nats per token, of a generator with a known one."""
    units_per_token: float | None = None
    """Bytes of text of a training token."""

    def __post_init__(self) -> None:
        fits = {
            "name": isinstance(self.name, str) and is_unicode(self.name),
            "digest": isinstance(self.digest, str) and is_unicode(self.digest),
            "vocab_size": type(self.vocab_size) is int and 0 < self.vocab_size <= _MOST_COUNTED,
            "train_tokens": type(self.train_tokens) is int and 0 <= self.train_tokens <= _MOST_COUNTED,
            "unit": self.unit in ("byte", "symbol"),
            "entropy": self.entropy is None or _is_real(self.entropy),
            "units_per_token": self.units_per_token is None or _is_real(self.units_per_token),
        }
        for name, fit in fits.items():
            if not fit:
                raise ValueError(f"the data of a study has {name}={shown(getattr(self, name))}: what slimlm records "
                                 "of a text would work")  # fmt: skip


def _is_real(value: object) -> bool:
    """Whether a value is a finite number that is not negative, and no larger than any count."""
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= _MOST_COUNTED


@dataclass(frozen=True)
class Study:
    """What is compared, and on which data."""

    request: StudyRequest
    data: Mapping[int, StudyData]
    """By the vocabulary size of the model."""

    def __post_init__(self) -> None:
        if missing := [size for size in data_sizes(self.cells) if size not in self.data]:
            raise ValueError(f"the study has no data for vocab_size={missing[0]}")
        for size, data in self.data.items():
            if data.vocab_size > size or data.unit != self.unit:
                raise ValueError(
                    f"the data for vocab_size={size} has {data.vocab_size} ids and losses in bits per {data.unit}: at "
                    f"most {size} ids and bits per {self.unit} would work"
                )
        if self.unit != "byte" and len(self.data) > 1:
            raise ValueError(
                f"a generated source of {len(self.data)} vocabulary sizes has no common unit of losses: text, whose "
                "losses are bits per byte, would work"
            )

    @cached_property
    def cells(self) -> tuple[StudyCell, ...]:
        """The allocations; raises ValueError as `study_cells` does."""
        return study_cells(self.request)

    @property
    def unit(self) -> str:
        """The unit of losses: "byte" or "symbol"."""
        return next(iter(self.data.values())).unit

    def cell(self, key: str) -> StudyCell:
        """Return the cell of a key; raises KeyError."""
        return next(cell for cell in self.cells if cell.key == key)

    def to_record(self) -> dict[str, Any]:
        """Return the content of study.json."""
        return {
            "format": FORMAT,
            "request": self.request.to_record(),
            "data": {str(size): asdict(data) for size, data in self.data.items()},
            "prediction": {"words": self.request.prediction, "order": predicted_order(self.cells)},
        }


def study_from_record(record: object) -> Study:
    """Return the study of a study.json; raises ValueError, in one sentence, for anything else."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else record
        raise ValueError(f"{STUDY} is of the format {shown(found)}: {FORMAT} would work")
    try:
        data = {_vocab_size(size): StudyData(**one) for size, one in record["data"].items()}
        return Study(request_from_record(record["request"]), data)
    except (AttributeError, KeyError, TypeError) as error:
        why = one_line(str(error), _LONGEST_REASON)
        raise ValueError(f"{STUDY} is damaged: {why}; one that slimlm wrote would work") from None


def _vocab_size(key: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,9}", key):
        raise TypeError(f"data has the key {shown(key)}, which is no vocabulary size")
    return int(key)


def write_study(folder: Path, study: Study) -> None:
    """Write study.json into a folder, or check that the folder is this study's.

    Raises ValueError for a folder that holds another study.
    """
    wanted = finite(study.to_record())
    folder.mkdir(parents=True, exist_ok=True)
    if (earlier := read_record(folder / STUDY)) is None:
        write_record(folder / STUDY, wanted)
    elif json.dumps(_as_written_now(earlier), sort_keys=True) != json.dumps(wanted, sort_keys=True):
        raise ValueError(f"{folder} holds another study: another folder, or the same request, would work")


def _as_written_now(record: object) -> Any:
    """Return a study.json as this version writes it: an earlier one lacks the fields that have been added since."""
    return finite(study_from_record(record).to_record())


def open_study(folder: Path) -> Study:
    """Return the study of a folder; raises ValueError for a folder without one, and a damaged one."""
    if (record := read_record(folder / STUDY)) is None:
        raise ValueError(f"{folder} holds no {STUDY}: the folder of a study would work")
    return study_from_record(record)


def read_outcomes(folder: Path) -> tuple[dict[str, Outcome], list[str]]:
    """Return the outcomes of a study's runs by key, and a sentence about each record that cannot be read."""
    found: dict[str, Outcome] = {}
    problems: list[str] = []
    for key, read in _records(folder):
        try:
            if outcome := outcome_of(key, read()):
                found[key] = outcome
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def read_under_way(folder: Path) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Return the rows of metrics of the runs that are not over, by key; a run whose files are damaged is left out."""
    home, found = folder / RUNS, {}
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        if (path / RUN).exists() and not (path / RESULT).exists() and not path.is_symlink():
            with suppress(OSError, ValueError):
                found[path.name] = metrics_of(read_run(path))
    return found


def _records(folder: Path) -> list[tuple[str, Any]]:
    packed = folder / PACKED
    lines = read_bytes(packed, PACKED, _MOST_BYTES).splitlines() if packed.exists() else []
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            record = read_json(line, f"line {number} of {PACKED}", _MOST_BYTES)
            if not isinstance(record, dict) or not _is_key(record.get("key")):
                raise ValueError(f"line {number} of {PACKED} is no record of a run: deleting the line would work")
            found.append((record["key"], lambda record=record: _unpacked(folder, record)))
        except ValueError as error:  # the other lines are good
            found.append((str(number), lambda error=error: _refuse(error)))
    home = folder / RUNS
    names = sorted(path.name for path in home.iterdir() if (path / RUN).exists()) if home.is_dir() else []
    return [*found, *((name, lambda name=name: _read_own(home, name)) for name in names)]


def _is_key(value: object) -> bool:
    """Whether a value is the name that a run's folder may have: no path leads out of the study."""
    return isinstance(value, str) and bool(_KEY.fullmatch(value))


def _read_own(home: Path, name: str) -> RunRecord:
    """Read the folder of a run; raises ValueError for a link, as what is written there would belong to another."""
    check_own(home, folders=[name])
    return read_run(home / name)


def _refuse(error: ValueError) -> RunRecord:
    raise error


def _unpacked(folder: Path, record: dict[str, Any]) -> RunRecord:
    try:
        return RunRecord(folder, record["run"], record["metrics"], record["speed"], record["result"])
    except KeyError as error:
        raise ValueError(f"run {record['key']} of {PACKED} has no {error}: a packed study would work") from None


def pack_study(folder: Path, out: Path) -> None:
    """Write a study's records of runs that are over, without weights, as two files into a folder, perhaps its own.

    Raises ValueError for records that cannot be read.
    """
    found = {key: read() for key, read in _records(folder)}
    write_study(out, open_study(folder))
    with replacing(out / PACKED, follow=False) as part, part.open("w", encoding="utf-8") as lines:
        for key, one in sorted(found.items()):
            if one.result is not None:
                parts = {"run": one.run, "metrics": one.metrics, "speed": one.speed, "result": one.result}
                row = json.dumps(finite({"key": key, **parts}), allow_nan=False, separators=(",", ":"))
                lines.write(f"{row}\n")
