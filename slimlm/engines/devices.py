"""Devices of an engine: which one the next worker takes, and which seem to be lost."""

from collections import Counter
from collections.abc import Sequence

from slimlm.engines.engine import TRIES


class Devices:
    """The GPUs that workers take turns on. One on which several runs in a row were broken off is used no more.

    When all of them seem to be lost, all are used: their runs then fail, each with a sentence.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._in_a_row: Counter[str] = Counter()
        self._failed_on: dict[str, set[str]] = {}

    @property
    def lost(self) -> list[str]:
        """Devices on which the last runs were broken off; none when that is so of all."""
        lost = [name for name in self.names if self._in_a_row[name] >= TRIES]
        return lost if len(lost) < len(self.names) else []

    def failed(self, name: str, key: str) -> bool:
        """Take note of a run that was broken off on a device; return whether the device now counts as lost."""
        before = self.lost
        self._in_a_row[name] += 1
        self._failed_on.setdefault(key, set()).add(name)
        return name in self.lost and name not in before

    def succeeded(self, name: str) -> None:
        """Take note of a run that ended on a device."""
        self._in_a_row[name] = 0

    def choose(self, key: str, used: Sequence[str]) -> str:
        """Return the device of a new worker for a run: one where it was not broken off, the least used of these."""
        counts, lost, failed_on = Counter(used), self.lost, self._failed_on.get(key, set())
        return min(self.names, key=lambda name: (name in lost, name in failed_on, counts[name]))
