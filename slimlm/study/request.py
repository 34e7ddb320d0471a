"""StudyRequest: which allocations a study compares, how it trains them, and what it controls."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.sweep.grid import Axis
from slimlm.utils.validation import FieldError, check_field, choice, documented, real, whole

Equal = Literal["tokens", "flops"]

_PLAIN = ("seeds", "equal", "head_dim", "second_horizon", "controls", "prediction")

LEAST_SEEDS = 2
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

    @property
    def other_recipe(self) -> TrainRecipe:
        """The second recipe."""
        return self.second_recipe or second_version(self.recipe)

    def to_record(self) -> dict[str, Any]:
        """Return the request as data for JSON."""
        return {
            "base": asdict(self.base),
            "x": {"name": self.x.name, "values": list(self.x.values)},
            "y": {"name": self.y.name, "values": list(self.y.values)},
            "models": [
                {"name": model.name, "origin": model.origin, "architecture": model.architecture.concrete()}
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
    except (KeyError, TypeError) as error:
        raise ValueError(f"the request of the study is damaged: {error}; a study.json of slimlm would work") from None
