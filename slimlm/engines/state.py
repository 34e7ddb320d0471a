"""state.json: how far the process that trains a study is, for others to read; and the file `cancel`, to stop it.

Fields: format; status ("running", or how it ended: see `Ending`); pid; started and updated (seconds since 1970); done
(runs that are over), running (share that is done by key), wanted (runs that are known to be needed still, those under
way included), failed (sentences by key); fraction (of the operations known to be needed); eta_s (seconds, or null).
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from slimlm.runs.lock import has_writer
from slimlm.runs.record import finite, read_record
from slimlm.utils.files import remove, replacing

FORMAT = "slimlm-state-1"
STATE, CANCEL = "state.json", "cancel"

Ending = Literal["complete", "cancelled", "deadline", "failed", "interrupted"]
"""Nothing is missing; the file `cancel` was there; no more time; runs failed; the process was ended or killed."""


@dataclass(frozen=True)
class StudyState:
    """How far the process that trains a study is."""

    status: Literal["running"] | Ending
    pid: int
    started: float
    """Seconds since 1970."""
    updated: float
    done: int
    """Runs that are over."""
    wanted: int
    """Runs that are known to be needed still; the search for learning rates may show that more are."""
    running: Mapping[str, float] = field(default_factory=dict)
    """Share that is done of each run under way, by key."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why runs failed, by key."""
    fraction: float = 0.0
    """Share of the known operations that is done."""
    eta_s: float | None = None
    """Seconds to the end of the known runs; None before it can be said."""
    lacks_memory: bool = False
    """Whether runs wait for memory, although there is a worker for them."""

    @property
    def held_up(self) -> str:
        """What keeps more runs from being under way, in brackets; empty where nothing does."""
        return " (no memory for more at once)" if self.lacks_memory else ""


def write_state(folder: Path, state: StudyState) -> None:
    """Replace state.json, which is there whole at any time."""
    record: dict[str, Any] = {"format": FORMAT, **asdict(state), "updated": time.time()}
    with replacing(folder / STATE, follow=False) as part:
        part.write_text(json.dumps(finite(record), allow_nan=False) + "\n", encoding="utf-8")


def read_state(folder: Path) -> StudyState | None:
    """Return how far a study is; None when no process has trained it yet, or when the file is damaged.

    A process that was killed has left "running" behind: it is "interrupted" when no process holds the study's lock.
    """
    try:
        record = read_record(folder / STATE)
        if record is None or record.pop("format") != FORMAT:
            return None
        if record["status"] == "running" and not has_writer(folder):
            record["status"] = "interrupted"
        return StudyState(**record)
    except (KeyError, TypeError, ValueError):
        return None


def ask_to_cancel(folder: Path) -> None:
    """Ask the process that trains a study to stop, within about a second."""
    remove(folder / CANCEL)  # of a link, the link alone
    (folder / CANCEL).touch()
