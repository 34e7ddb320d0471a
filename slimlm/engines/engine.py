"""Engine: what trains runs side by side, and how a run that is over is reported."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from slimlm.study.spec import RunSpec

TRIES = 3
"""How often a run is begun before it counts as failed: its process may be killed, or its machine lost."""


@dataclass(frozen=True)
class Finished:
    """A run that an engine is done with."""

    key: str
    error: str | None = None
    """Why it failed, in a sentence; None when its records are in its folder."""


class Engine(Protocol):
    """Trains runs of one study, in as many slots as there are. A context manager: leaving it stops all work.

    Whatever stops, the folders of runs stay such that a later engine goes on from their checkpoints.
    """

    slots: int
    """Runs that are trained at a time."""
    keep_weights: bool
    """Whether the weights and checkpoints of finished runs are kept."""

    def has_room(self, spec: RunSpec) -> bool:
        """Whether there is memory for a run beside those under way; an engine that does not know says so."""
        return True

    def start(self, spec: RunSpec) -> None:
        """Begin a run, or go on with it. At most `slots` runs may be under way."""

    def wait(self, timeout: float) -> Finished | None:
        """Return the next run that is over; None when none is after `timeout` seconds."""

    def fractions(self) -> Mapping[str, float]:
        """Return the share that is done of each run under way, by key, where it is known."""

    def close(self) -> None:
        """Stop all work at once; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
