"""verdict.json: a ranking as data, with the digest of the outcomes that it was computed from."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimlm.ranking.codec import from_data, to_data
from slimlm.ranking.rank import rank_study
from slimlm.ranking.result import Ranking
from slimlm.runs.record import read_record, write_record
from slimlm.study.outcome import Outcome
from slimlm.study.study import STUDY, VERDICT, Study, open_study, read_outcomes
from slimlm.utils.files import read_bytes, read_json
from slimlm.utils.text import shown

FORMAT = "slimlm-verdict-1"
_MOST_BYTES = 2**25


def ranking_record(ranking: Ranking) -> dict[str, Any]:
    """Return a ranking as data for JSON; infinite losses become None."""
    return dict(to_data(ranking))


def ranking_from_record(record: object) -> Ranking:
    """Return the ranking that `ranking_record` wrote; raises ValueError, in one sentence, for anything else."""
    return from_data(Ranking, record, "ranking")


def outcomes_digest(outcomes: Mapping[str, Outcome]) -> str:
    """Return the sha256 of everything in outcomes that a ranking depends on: all but the metrics."""
    plain = {
        key: {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name != "metrics"}
        for key, one in outcomes.items()
    }
    return hashlib.sha256(json.dumps(to_data(plain), sort_keys=True).encode()).hexdigest()


def read_ranking(folder: Path) -> Ranking:
    """Return the ranking of a study's folder: that of verdict.json if its outcomes are these, else a new one.

    Raises ValueError for a folder without a study, and for a study or packed records that are damaged.
    """
    study = open_study(folder)
    outcomes, problems = read_outcomes(folder)
    known = _known(folder, _digest(folder, outcomes, problems))
    return known if known and _is_of(known, study) else rank_study(study, outcomes, problems)


def write_ranking(folder: Path) -> Ranking:
    """Rank the study of a folder, write verdict.json, and return the ranking; raises ValueError as `read_ranking`."""
    study = open_study(folder)
    outcomes, problems = read_outcomes(folder)
    ranking = rank_study(study, outcomes, problems)
    digest = _digest(folder, outcomes, problems)
    write_record(folder / VERDICT, {"format": FORMAT, "outcomes": digest, "ranking": ranking_record(ranking)})
    return ranking


def read_verdict(folder: Path) -> Ranking:
    """Return the ranking of verdict.json without a look at the records, so that neither NumPy nor SciPy is needed.

    Raises ValueError for a folder without one, and one that is damaged.
    """
    record = read_json(read_bytes(folder / VERDICT, VERDICT, _MOST_BYTES), VERDICT, _MOST_BYTES)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else record
        raise ValueError(f"{VERDICT} is of the format {shown(found)}: {FORMAT} would work")
    return ranking_from_record(record.get("ranking"))


def _known(folder: Path, digest: str) -> Ranking | None:
    """Return the ranking of verdict.json when it is of these outcomes, and undamaged."""
    try:
        record = read_json(read_bytes(folder / VERDICT, VERDICT, _MOST_BYTES), VERDICT, _MOST_BYTES)
        return read_verdict(folder) if isinstance(record, dict) and record.get("outcomes") == digest else None
    except (OSError, ValueError):
        return None


def _is_of(ranking: Ranking, study: Study) -> bool:
    """Whether a ranking has the cells and the axes of a study, in their order."""
    axes = (study.request.x.name, study.request.y.name)
    cells = [(cell.key, cell.x, cell.y) for cell in study.cells]
    return ranking.axes == axes and [(cell.key, cell.x, cell.y) for cell in ranking.cells] == cells


def _digest(folder: Path, outcomes: Mapping[str, Outcome], problems: list[str]) -> str:
    """Return the sha256 of everything that a ranking is computed from, the study as it stands in its file."""
    parts = json.dumps([read_record(folder / STUDY), outcomes_digest(outcomes), problems], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()
