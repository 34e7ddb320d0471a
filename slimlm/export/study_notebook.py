"""Jupyter notebook of a study: it holds the outcomes of all runs and computes the ranking again."""

import json
from collections.abc import Mapping
from dataclasses import fields

from slimlm.charts.study_text import setting_line, tidy
from slimlm.export.notebooks import SETUP, code_cell, notebook_of, text_cell
from slimlm.export.study_reports import study_title
from slimlm.ranking.result import Ranking
from slimlm.runs.record import finite
from slimlm.study.outcome import Outcome
from slimlm.study.study import Study
from slimlm.utils.text import lightly

_WITHOUT = ("key", "metrics")


def study_notebook(study: Study, outcomes: Mapping[str, Outcome], ranking: Ranking) -> str:
    """Return a notebook that ranks the study again and shows its map; it needs no file besides.

    The outcomes are in it without the losses during training.
    """
    head = f"# {lightly(study_title(study))}\n\n{lightly(tidy(ranking.verdict, 1000))}"
    about = f"{head}\n\n{lightly(setting_line(study, ranking))}\n\n{SETUP}"
    return notebook_of(
        [
            text_cell("about", about),
            code_cell("study", _STUDY_CELL.format(record=_literal(study.to_record()))),
            code_cell("outcomes", _OUTCOMES_CELL.format(record=_literal(_records(outcomes)))),
            code_cell("ranking", _RANKING_CELL),
            code_cell("cells", _CELLS_CELL),
            code_cell("map", _MAP_CELL),
        ]
    )


def _records(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, object]]:
    names = [field.name for field in fields(Outcome) if field.name not in _WITHOUT]
    return {key: {name: _value(getattr(one, name)) for name in names} for key, one in sorted(outcomes.items())}


def _value(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _literal(record: object) -> str:
    """Return JSON as a Python literal of ASCII characters."""
    return repr(json.dumps(finite(record), allow_nan=False))


_STUDY_CELL = """\
import json

from slimlm.study.study import study_from_record

study = study_from_record(json.loads({record}))
len(study.cells)"""

_OUTCOMES_CELL = """\
import math

from slimlm.study.outcome import Outcome

records = json.loads({record})
outcomes = {{
    key: Outcome(key, **record | {{
        "loss": math.inf if record["loss"] is None else record["loss"],
        "failed_checks": tuple(record["failed_checks"]),
    }})
    for key, record in records.items()
}}
len(outcomes)"""

_RANKING_CELL = """\
from slimlm.ranking.rank import rank_study

ranking = rank_study(study, outcomes)
print(ranking.verdict)"""

_CELLS_CELL = """\
for cell in sorted(ranking.cells, key=lambda cell: math.inf if cell.mean is None else cell.mean):
    loss = cell.reason if cell.mean is None else f"{cell.mean:.4f}"
    width = "" if cell.half_width is None else f" ± {cell.half_width:.4f}"
    print(f"{cell.label:24} {loss}{width}{'  may be best' if cell.may_be_best else ''}")"""

_MAP_CELL = """\
from IPython.display import SVG
from slimlm.charts.study_map import study_map
from slimlm.export import picture

SVG(picture(study_map(study, ranking), format="svg"))"""
