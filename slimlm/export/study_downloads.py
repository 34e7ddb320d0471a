"""Downloads of a study."""

from collections.abc import Iterator, Mapping
from functools import partial

from slimlm.charts.study_controls import study_controls
from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_map import study_map
from slimlm.charts.study_parabolas import study_parabolas
from slimlm.charts.study_tradeoffs import study_tradeoffs
from slimlm.charts.theme import Figure
from slimlm.export.downloads import Download, picture_downloads
from slimlm.export.study_card import study_card
from slimlm.export.study_notebook import study_notebook
from slimlm.export.study_reports import study_html, study_json, study_markdown
from slimlm.export.study_tables import cells_csv, runs_csv
from slimlm.ranking.result import Ranking
from slimlm.study.outcome import Outcome
from slimlm.study.schedule import Schedule
from slimlm.study.study import Study
from slimlm.utils.formatting import format_size

_STEM = "slimlm-study"


def study_downloads(study: Study, outcomes: Mapping[str, Outcome], ranking: Ranking) -> list[Download]:
    """Return the downloads of a study, in the order of the menu."""
    stem = f"{_STEM}-{format_size(study.request.base.total_params)}"
    return [
        *_cards(study, ranking, stem),
        *_charts(study, outcomes, ranking, stem),
        Download(
            "Report (HTML)",
            f"{stem}.html",
            partial(study_html, study, outcomes, ranking),
            "The whole study on one self-contained page: verdict, charts, cells, controls, costs.",
        ),
        Download(
            "Report (Markdown)",
            f"{stem}.md",
            partial(study_markdown, study, ranking),
            "Verdict and tables as text, for a pull request or a design document.",
        ),
        Download(
            "Cells (CSV)",
            f"{stem}-cells.csv",
            partial(cells_csv, ranking),
            "Everything the study says of its cells for a spreadsheet, one cell per line.",
        ),
        Download(
            "Runs (CSV)",
            f"{stem}-runs.csv",
            partial(runs_csv, study, outcomes),
            "Every run with its purpose, learning rate, seed, loss and cost for a spreadsheet.",
        ),
        Download(
            "Study and ranking (JSON)",
            f"{stem}.json",
            partial(study_json, study, ranking),
            "Request, data, prediction and the whole ranking for programs.",
        ),
        Download(
            "Notebook",
            f"{stem}.ipynb",
            partial(study_notebook, study, outcomes, ranking),
            "Python that ranks the study again from the losses of its runs, which it holds.",
        ),
    ]


def _cards(study: Study, ranking: Ranking, stem: str) -> Iterator[Download]:
    for words, suffix, dark in (("", "", False), (", dark", "-dark", True)):
        yield Download(
            f"Study card{words} (PNG)",
            f"{stem}-card{suffix}.png",
            partial(study_card, study, ranking, dark=dark),
            "Verdict, map, key figures, controls and cost on one slide, 16:9.",
        )


def _charts(study: Study, outcomes: Mapping[str, Outcome], ranking: Ranking, stem: str) -> Iterator[Download]:
    def parabolas() -> Figure:
        return study_parabolas(study, Schedule(study, outcomes), ranking)

    def controls() -> Figure:
        return study_controls(ranking, Schedule(study, outcomes))

    yield from picture_downloads("Map", f"{stem}-map", partial(study_map, study, ranking), "The map of losses")
    yield from picture_downloads("Learning rates", f"{stem}-rates", parabolas, "The searches for learning rates")
    curves = partial(study_curves, study, outcomes, ranking)
    yield from picture_downloads("Curves", f"{stem}-curves", curves, "The held-out losses by tokens")
    layers = partial(study_tradeoffs, ranking, "n_layers")
    yield from picture_downloads("Loss against layers", f"{stem}-layers", layers, "The losses by number of layers")
    operations = partial(study_tradeoffs, ranking, "flops")
    yield from picture_downloads("Loss against FLOPs", f"{stem}-flops", operations, "The losses by operations")
    seconds = partial(study_tradeoffs, ranking, "seconds")
    yield from picture_downloads("Loss against time", f"{stem}-seconds", seconds, "The losses by training time")
    if ranking.controls:
        yield from picture_downloads("Controls", f"{stem}-controls", controls, "The controls")
