"""StudyRequest: which allocations a study compares, how it trains them, and what it controls."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from slimlm.core.architecture import Architecture, recorded
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.sweep.grid import Axis
from slimlm.utils.text import is_unicode, one_line, shown
from slimlm.utils.validation import FieldError, check_field, choice, documented, real, whole

Equal = Literal["tokens", "flops"]

_LONGEST_REASON = 200
_PLAIN = ("seeds", "equal", "head_dim", "second_horizon", "controls", "prediction")

LEAST_SEEDS = 2
MOST_RUNS = 10_000
"""Of a ranking: what is missing is computed again after every run, which takes seconds with so many."""

_HIGHEST_RATE, _LOWEST_RATE = 1.5, 1e-8
"""Of the centre of a search: six factors of 2 beyond it, and the bad cell, stay within the limits of a recipe."""

_LAST_SEED = 2**32 - 1
OTHER_SEEDS = 1000
"""Added to the seeds of the A/A pair's second half: runs of equal seeds would be equal to the last digit."""

CONTROL_CELLS = 4
"""Cells that are trained again with the second recipe and for the second horizon."""


def second_version(recipe: TrainRecipe) -> TrainRecipe:
    """Return the default second recipe: smaller embeddings, a short warm-up and batches twice as large.

    Each of the three moved the order of cells in pilot runs by more than the cells differ.
    """
    return replace(recipe, embedding_std=0.02, warmup_share=0.05, batch_tokens=2 * recipe.batch_tokens)


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """A grid of one request with two of its knobs varied, perhaps further models, and how all of them are trained.

    Raises FieldError for a field outside its limits, fewer than two seeds, and two axes of one knob.
    """

    base: ModelConfig
    """Every knob but the two that vary."""
    x: Axis
    y: Axis
    models: tuple[NamedModel, ...] = ()
    """Further cells: published models, or designs by name."""
    recipe: TrainRecipe
    """Its learning rate is the centre of the search, its seed the first one."""
    second_recipe: TrainRecipe | None = None
    """None means `second_version` of the recipe."""
    seeds: int = documented("Runs of each cell, from which the error bars are computed.", whole(3, LEAST_SEEDS, 1000))
    equal: Equal = documented(
        "What all cells have in common: training tokens, or the operations of training.", choice("tokens", "flops")
    )
    head_dim: int | None = documented(
        "Width of an attention head, held over the grid: d_model is a multiple of it. None keeps the base's heads.",
        whole(None, 1, 1024),
    )
    second_horizon: float = documented(
        "Tokens of the second horizon over those of the first, each with a schedule of its own.",
        real(0.25, 0.01, 100.0),
    )
    controls: bool = documented("Train the controls: cells whose outcome is known, and a second recipe.", True)
    prediction: str = ""
    """What is expected, in the words of who asks; the order that the shapes of published models suggest is added."""

    def __post_init__(self) -> None:
        for name in _PLAIN[:-1]:
            check_field(StudyRequest, name, getattr(self, name))
        if self.x.name == self.y.name:
            raise FieldError("y", self.y.name, "the two axes must be different knobs")
        self._check_texts()
        self._check_axes()
        self._check_recipes()

    def _check_texts(self) -> None:
        texts = [("prediction", self.prediction)]
        texts += [pair for model in self.models for pair in (("model", model.name), ("origin", model.origin))]
        for name, text in texts:
            if not isinstance(text, str) or not is_unicode(text):
                raise FieldError(name, text, "it must be text that UTF-8 can write")

    def _check_axes(self) -> None:
        for side, axis in (("x", self.x), ("y", self.y)):
            if None in axis.values:
                raise ValueError(
                    f"{side}={shown(axis.name)} has a value that is left open, which is no allocation to compare: "
                    "values that are given would work"
                )
        cells = len(self.x.values) * len(self.y.values) + len(self.models)
        if cells * self.seeds > MOST_RUNS:
            raise ValueError(
                f"{cells:,} cells with {self.seeds:,} seeds are {cells * self.seeds:,} runs: it must be at most "
                f"{MOST_RUNS:,}; fewer values or fewer seeds would work"
            )

    def _check_recipes(self) -> None:
        for recipe in (self.recipe, self.other_recipe):
            if not _LOWEST_RATE <= recipe.learning_rate <= _HIGHEST_RATE:
                near = min(max(recipe.learning_rate, _LOWEST_RATE), _HIGHEST_RATE)
                rule = f"the centre of a search must be between {_LOWEST_RATE:g} and {_HIGHEST_RATE:g}"
                raise FieldError("learning_rate", recipe.learning_rate, rule, (("learning_rate", near),))
            if recipe.seed > _LAST_SEED - 2 * OTHER_SEEDS:
                rule = f"a study adds up to {2 * OTHER_SEEDS} to it, and the last seed is {_LAST_SEED}"
                raise FieldError("seed", recipe.seed, rule, (("seed", 0),))
        if self.other_recipe.tokens != self.recipe.tokens:
            rule = "the second recipe trains on the tokens of the first; second_horizon varies them"
            raise FieldError("tokens", self.other_recipe.tokens, rule, (("tokens", self.recipe.tokens),))

    @property
    def other_recipe(self) -> TrainRecipe:
        """The second recipe."""
        return self.second_recipe or second_version(self.recipe)

    @property
    def recipe_changes(self) -> dict[str, Any]:
        """Fields of the second recipe that differ from the first, by name."""
        usual = asdict(self.recipe)
        return {name: value for name, value in asdict(self.other_recipe).items() if value != usual[name]}

    def to_record(self) -> dict[str, Any]:
        """Return the request as data for JSON."""
        return {
            "base": recorded(asdict(self.base)),
            "x": {"name": self.x.name, "values": list(self.x.values)},
            "y": {"name": self.y.name, "values": list(self.y.values)},
            "models": [
                {"name": model.name, "origin": model.origin, "architecture": recorded(model.architecture.concrete())}
                for model in self.models
            ],
            "recipe": asdict(self.recipe),
            "second_recipe": asdict(self.other_recipe),
            **{name: getattr(self, name) for name in _PLAIN},
        }


def request_from_record(record: Mapping[str, Any]) -> StudyRequest:
    """Return the request of a study.json.

    Raises ValueError, in one sentence, for anything that `StudyRequest.to_record` does not return.
    """
    try:
        x, y = (Axis(record[side]["name"], tuple(record[side]["values"])) for side in ("x", "y"))
        models = tuple(
            NamedModel(model["name"], Architecture(**model["architecture"]), model["origin"])
            for model in record["models"]
        )
        rest: dict[str, Any] = {name: record[name] for name in _PLAIN}
        return StudyRequest(
            base=ModelConfig(**record["base"]),
            x=x,
            y=y,
            models=models,
            recipe=TrainRecipe(**record["recipe"]),
            second_recipe=TrainRecipe(**record["second_recipe"]),
            **rest,
        )
    except (AttributeError, KeyError, TypeError) as error:
        why = one_line(str(error), _LONGEST_REASON)
        raise ValueError(f"the request of the study is damaged: {why}; a study.json of slimlm would work") from None
