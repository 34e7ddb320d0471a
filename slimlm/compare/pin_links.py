"""Text form of a pin in links.

A pin is its kind and parts separated by `~`, each a field and its value. Values at their default are omitted:

    design~total_params-12.5M~ffn-gelu              a request, solved again when the link is opened
    shape~d_model-216~d_ff-544~n_layers-12          a concrete architecture
    model~SmolLM2-135M~name-the+usual+one           a published model with a custom name

Only non-ASCII letters in names need escaping in a URL.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache

from slimlm.compare.pins import MOST_PINS, SEPARATOR, Pin, with_pin
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.published import PublishedModel, published_model
from slimlm.serialization.fields import KNOBS, to_short_query, values_of
from slimlm.utils.formatting import format_size, parse_size

LONGEST_TEXT = 1200
"""Most characters of a pin in a link."""

_REQUEST, _SHAPE, _MODEL = "design", "shape", "model"


def write_pin(pin: Pin) -> str:
    """Write a pin for a link.

    >>> write_pin(Pin(ModelConfig(total_params=12_500_000, ffn="gelu"), "plain"))
    'design~total_params-12.5M~ffn-gelu~name-plain'
    >>> write_pin(Pin(published_model("SmolLM2-135M")))
    'model~SmolLM2-135M'
    """
    if isinstance(pin.held, PublishedModel):
        parts = [_MODEL, pin.held.name]
    elif isinstance(pin.held, ModelConfig):
        parts = [_REQUEST, *_parts(to_short_query(values_of(pin.held)))]
    else:
        parts = [_SHAPE, *_parts(_shape_query(pin.held))]
    return SEPARATOR.join([*parts, *_parts({"name": pin.given_name} if pin.given_name else {})])


def _parts(query: dict[str, str]) -> list[str]:
    return [f"{name}-{text}" for name, text in query.items()]


def _shape_query(arch: Architecture) -> dict[str, str]:
    values = arch.concrete()
    implied = {name: field.default for name, field in _SHAPE_FIELDS.items()}
    implied |= {"n_kv_heads": arch.n_heads}
    if arch.head_width * arch.n_heads == arch.d_model:
        implied["head_dim"] = arch.head_width
    return {name: _write(value) for name, value in values.items() if value != implied[name]}


_SHAPE_FIELDS = {field.name: field for field in fields(Architecture)}


def _write(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return format_size(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read_pin(text: str) -> Pin:
    """Read a pin written by `write_pin`.

    >>> read_pin("design~total_params-12.5M").architecture.n_layers
    9

    Raises ValueError for text that is not a pin and for an invalid model.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it has {len(text):,} characters; a pin has at most {LONGEST_TEXT:,}")
    kind, *parts = text.split(SEPARATOR)
    if kind not in (_REQUEST, _SHAPE, _MODEL):
        raise ValueError(f"{kind[:40]!r} is not a kind of pin: it must be design, shape or model")
    model = parts.pop(0) if kind == _MODEL and parts else ""
    given = dict(_split(part) for part in parts)
    name = given.pop("name", "")
    if kind == _MODEL:
        if given:
            raise ValueError(f"{min(given)[:40]!r} is not allowed: a published model takes only a name")
        return Pin(published_model(model[:80])).renamed(name)
    held = _read_request(given) if kind == _REQUEST else _read_shape(given)
    return Pin(held).renamed(name)


def _split(part: str) -> tuple[str, str]:
    name, dash, text = part.partition("-")
    if not dash:
        raise ValueError(f"{part[:40]!r} is not a field and its value, such as total_params-12.5M")
    return name, text


def _read_request(given: dict[str, str]) -> ModelConfig:
    _check_names(given, KNOBS, _REQUEST)
    return ModelConfig(**{name: KNOBS[name].from_text(text) for name, text in given.items()})  # type: ignore[arg-type]


def _read_shape(given: dict[str, str]) -> Architecture:
    _check_names(given, _SHAPE_FIELDS, _SHAPE)
    if missing := [name for name in ("d_model", "d_ff", "n_layers") if name not in given]:
        raise ValueError(f"a shape needs {', '.join(missing)}")
    return Architecture(**{name: _read(name, text) for name, text in given.items()})  # type: ignore[arg-type]


def _check_names(given: Iterable[str], known: Iterable[str], kind: str) -> None:
    if unknown := set(given) - set(known):
        raise ValueError(f"{min(unknown)[:40]!r} is not a field of a {kind}")


def _read(name: str, text: str) -> object:
    default = _SHAPE_FIELDS[name].default
    if isinstance(default, bool):
        return KNOBS[name].read(text)
    if isinstance(default, str):
        return text
    try:
        return float(text) if isinstance(default, float) else parse_size(text)
    except ValueError as error:
        raise ValueError(f"{name}={text[:40]!r} is not a number") from error


@lru_cache(maxsize=64)
def read_pins(texts: tuple[str, ...]) -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    """Read the pins of a link; return the valid ones, and an error message for each invalid one.

    >>> read_pins(("model~gpt2", "shape~d_model-216"))[1]
    ('Pin 2 of the link is ignored: a shape needs d_ff, n_layers.',)
    """
    pins: tuple[Pin, ...] = ()
    problems = []
    for number, text in enumerate(texts[: 4 * MOST_PINS], start=1):
        try:
            pins = with_pin(pins, read_pin(text))
        except ValueError as error:
            problems.append(f"Pin {number} of the link is ignored: {error}.")
    return pins, tuple(problems)
