"""The four sliders, the verdict and the allocation chart as a widget for JupyterLab, VS Code and Colab."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlencode

import altair as alt
import ipywidgets as widgets

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.palette import OFF_TARGET_TEXT, VERDICT_SHADES
from slimlm.charts.theme import for_export
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.notes.offers import offers
from slimlm.notes.verdict import verdict
from slimlm.serialization.fields import RATIO, SLIDERS, Knob, to_query, total_knob, values_of
from slimlm.solver.solver import solve

_OUTDATED = "slimlm-outdated"


class _Chart(alt.JupyterChart):
    """A chart that loads nothing from the internet."""


class Explorer:
    """A design that follows four sliders.

    The sliders, their stops and the sentences are those of the app's Design page. The other fields of the request stay
    as they were given.

    >>> explorer = Explorer(ModelConfig(total_params=20_000_000))
    >>> explorer.ask(total_params=30_000_000)
    >>> explorer.design.total_params
    30142720
    """

    def __init__(self, config: ModelConfig | None = None, *, dark: bool = False) -> None:
        """Solve a request, by default that of the Design page, and make its widgets.

        dark: draw the chart for a dark page.
        Raises BudgetError when the request has no design.
        """
        _Chart.enable_offline()
        self._config, self._dark, self._asking = config or ModelConfig(), dark, False
        self._design = solve(self._config)
        self._sliders = {knob.field: self._slider(knob) for knob in self._knobs()}
        self._shape_leads = widgets.Checkbox(description="Let the shape lead", indent=False)
        self._shape_leads.observe(self._take_switch, "value")
        self._sentence, self._remedies = widgets.HTML(), widgets.HBox()
        self._chart = _Chart(None)  # type: ignore[arg-type] # takes specifications, as Altair reads no figure's params
        knobs = widgets.VBox([*self._sliders.values(), self._shape_leads])
        self.widget = widgets.VBox([widgets.HTML(_STYLE), knobs, self._sentence, self._remedies, self._chart])
        """The widget that a notebook shows."""
        self.ask()

    @property
    def design(self) -> Design:
        """The design that the chart shows. A request without a design leaves the last one, in grey."""
        return self._design

    @property
    def config(self) -> ModelConfig:
        """The request of the sliders, which has no design where the sentence above the chart says so."""
        return self._config

    def link(self, address: str = "http://localhost:8501") -> str:
        """Return the link to this request on the app's Design page, on a server at an address."""
        return f"{address.rstrip('/')}/?{urlencode(to_query(values_of(self._config)))}"

    def ask(self, **changes: Any) -> None:
        """Change fields of the request, as moving the sliders does.

        Raises ValueError for a value that is not possible. A request without a design is said above the chart.
        """
        self._config = replace(self._config, **changes)
        self._move_sliders()
        try:
            self._design = solve(self._config)
        except ValueError as error:
            self._show_problem(error)
            return
        self._show_design()

    def _knobs(self) -> tuple[Knob, ...]:
        """Return the controls of the sliders, the total's in the unit of the budget."""
        return total_knob(self._config.budget, self._config.budget_precision), *SLIDERS[1:]

    def _slider(self, knob: Knob) -> Any:
        slider = widgets.SelectionSlider(
            options=_stops(knob, getattr(self._config, knob.field)),
            description=knob.label,
            continuous_update=True,
            style={"description_width": "9em"},
            layout={"width": "32em"},
            tooltip=knob.help,
        )
        slider.observe(partial(self._take_slider, knob), "value")
        return slider

    def _take_slider(self, knob: Knob, change: Mapping[str, Any]) -> None:
        if not self._asking:
            self.ask(**{knob.field: change["new"]})

    def _take_switch(self, change: Mapping[str, Any]) -> None:
        if not self._asking:
            ratio = float(f"{self._design.account.embedding_ratio:.2g}")
            self.ask(embedding_ratio="auto" if change["new"] else ratio)

    def _move_sliders(self) -> None:
        """Move the sliders to the request, each with a stop at its value."""
        self._asking = True
        for knob in self._knobs():
            slider, value = self._sliders[knob.field], getattr(self._config, knob.field)
            slider.description = knob.label
            if (stops := _stops(knob, value)) != slider.options:
                slider.options = stops
            slider.value = value
        self._shape_leads.value = getattr(self._config, RATIO.field) == "auto"
        self._asking = False

    def _show_design(self) -> None:
        found = verdict(self._design)
        remedy = found.remedy
        self._say(str(found), VERDICT_SHADES[found.weight.name.lower()].light)
        self._offer({f"Use {remedy.change}": values_of(remedy.request)} if remedy else {})
        self._chart.spec = for_export(allocation_chart(self._design), dark=self._dark).to_dict()
        self._chart.remove_class(_OUTDATED)

    def _show_problem(self, error: ValueError) -> None:
        self._say(f"{error}.", OFF_TARGET_TEXT.light)
        self._offer({offer.label: offer.values for offer in offers(error, values_of(self._config))})
        self._chart.add_class(_OUTDATED)

    def _say(self, sentence: str, color: str) -> None:
        self._sentence.value = f'<p class="slimlm-verdict" style="border-color: {color}">{escape(sentence)}</p>'

    def _offer(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Show a button for each change."""
        buttons = []
        for label, values in changes.items():
            button = widgets.Button(description=label, layout={"width": "auto"})
            button.on_click(lambda _, values=values: self.ask(**values))
            buttons.append(button)
        self._remedies.children = tuple(buttons)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)


_STYLE = f"""
<style>
  .slimlm-verdict {{ border-left: 4px solid; padding: 0.3em 0.8em; line-height: 1.5; max-width: 60em; }}
  .{_OUTDATED} {{ opacity: 0.45; }}
</style>
"""


def _stops(knob: Knob, value: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((knob.display(stop), stop) for stop in knob.stops(value))


def explore(config: ModelConfig | None = None, *, dark: bool = False) -> Explorer:
    """Return the four sliders and the allocation chart as a widget for a notebook.

    Its `design` is always the one that the chart shows; `link()` opens it on the app's page. `dark` draws the chart for
    a dark page. Raises BudgetError when the request has no design.
    """
    return Explorer(config, dark=dark)
