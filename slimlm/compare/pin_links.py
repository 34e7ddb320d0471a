"""Text form of a pin in links.

A pin is its kind and parts separated by `~`, each a field and its value. Values at their default are omitted:

    design~total_params-12.5M~ffn-gelu              a request, solved again when the link is opened
    shape~d_model-216~d_ff-544~n_layers-12          a concrete architecture
    model~SmolLM2-135M~name-the+usual+one           a published model with a custom name

`slimlm.serialization.links` writes and reads the parts.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from slimlm.compare.pins import MOST_PINS, Held, Pin, with_pin
from slimlm.core.config import ModelConfig
from slimlm.core.published import PublishedModel, published_model
from slimlm.serialization.fields import KNOBS, to_short_query, values_of
from slimlm.serialization.links import (
    SHAPE,
    fitting_remarks,
    join,
    named_value,
    read_remarks,
    read_shape,
    shape_parts,
    split,
)
from slimlm.utils.files import check_names, check_size, unique
from slimlm.utils.formatting import shown

LONGEST_TEXT = 1200
"""Most characters of a pin in a link."""

_LONGEST_REMARKS = 600
"""Most characters of all remarks on a pin, as an address quotes them."""

_REQUEST, _MODEL = "design", "model"


def write_pin(pin: Pin) -> str:
    """Write a pin for a link.

    >>> write_pin(Pin(ModelConfig(total_params=12_500_000, ffn="gelu"), "plain"))
    'design~total_params-12.5M~ffn-gelu~name-plain'
    >>> write_pin(Pin(published_model("SmolLM2-135M")))
    'model~SmolLM2-135M'
    """
    name = [("name", pin.given_name)] if pin.given_name else []
    if isinstance(pin.held, PublishedModel):
        return join([_MODEL, pin.held.name], name)
    if isinstance(pin.held, ModelConfig):
        return join([_REQUEST], [*to_short_query(values_of(pin.held)).items(), *name])
    remarks = [("remark", remark) for remark in fitting_remarks(pin.remarks, _LONGEST_REMARKS)]
    return join([SHAPE], [*shape_parts(pin.held), *name, *remarks])


def read_pin(text: str) -> Pin:
    """Read a pin that `write_pin` has written.

    >>> read_pin("design~total_params-12.5M").architecture.n_layers
    9

    Raises ValueError, in one sentence, for any other text and for a model that is not possible.
    """
    check_size(len(text), "it", LONGEST_TEXT, "characters")
    kind, *parts = split(text)
    if kind not in (_REQUEST, SHAPE, _MODEL):
        raise ValueError(f"{shown(kind)} is not a kind of pin: it must be design, shape or model")
    model = parts.pop(0) if kind == _MODEL and parts else ""
    pairs = [named_value(part) for part in parts]
    remarks = read_remarks(value for field, value in pairs if field == "remark" and kind == SHAPE)
    given = unique([pair for pair in pairs if pair[0] != "remark" or kind != SHAPE], "it")
    name = given.pop("name", "")
    return replace(Pin(_read_held(kind, model, given)).renamed(name), remarks=remarks)


def _read_held(kind: str, model: str, given: Mapping[str, str]) -> Held:
    if kind == SHAPE:
        return read_shape(given, "the shape")
    if kind == _REQUEST:
        check_names("the design", given, KNOBS)
        return ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in given.items()})  # type: ignore[arg-type]
    if given:
        raise ValueError(f"{shown(min(given))} is not allowed: a published model takes only a name")
    return published_model(model[:80])


@lru_cache(maxsize=64)
def read_pins(texts: tuple[str, ...]) -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    """Read the pins of a link; return the valid ones, and an error message for each invalid one.

    >>> read_pins(("model~gpt2", "shape~d_model-216"))[1]
    ("Pin 2 of the link is ignored: the shape has missing fields: 'd_ff', 'n_layers'.",)
    """
    pins: tuple[Pin, ...] = ()
    problems = []
    for number, text in enumerate(texts[: 4 * MOST_PINS], start=1):
        try:
            pins = with_pin(pins, read_pin(text))
        except ValueError as error:
            problems.append(f"Pin {number} of the link is ignored: {error}.")
    return pins, tuple(problems)
