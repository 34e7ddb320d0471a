"""Studies that come with the package: their records, and what they say."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from slimlm.ranking.record import read_verdict
from slimlm.ranking.result import Ranking
from slimlm.study.outcome import Outcome
from slimlm.study.study import STUDY, VERDICT, Study, open_study, read_outcomes

SHIPPED = Path(__file__).parent / "shipped"
"""One folder a study: study.json, records.jsonl (`slimlm.study.study.pack_study`) and verdict.json."""


@dataclass(frozen=True)
class ShippedStudy:
    """A finished study in a folder of the package. What is read is kept."""

    name: str
    folder: Path

    @cached_property
    def study(self) -> Study:
        """What is compared."""
        return open_study(self.folder)

    @cached_property
    def ranking(self) -> Ranking:
        """What the study says, from verdict.json: neither NumPy nor SciPy is needed."""
        return read_verdict(self.folder)

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """The outcomes of all runs by key, with their metrics."""
        return read_outcomes(self.folder)[0]


@lru_cache(maxsize=8)
def shipped_studies(folder: Path = SHIPPED) -> tuple[ShippedStudy, ...]:
    """Return the studies of a folder by name; none when there is no such folder."""
    if not folder.is_dir():
        return ()
    found = sorted(path for path in folder.iterdir() if (path / STUDY).exists() and (path / VERDICT).exists())
    return tuple(ShippedStudy(path.name, path) for path in found)
