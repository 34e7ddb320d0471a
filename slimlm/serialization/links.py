"""Models as text in links: `shape~d_model-216~d_ff-544~n_layers-12~name-small`.

The text has a kind, then parts behind `~`: a field, a dash and a value. Fields at their default are left out. A `~`
within a value is written twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import accumulate
from typing import Any
from urllib.parse import quote_plus

from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.named_model import FROM_CONFIG, FROM_LINK, NamedModel, tidy_name
from slimlm.serialization.fields import KNOBS
from slimlm.utils.files import check_names, check_size, read_json, unique
from slimlm.utils.formatting import format_size, parse_size, shown
from slimlm.utils.text import one_line
from slimlm.utils.validation import check_option

SEPARATOR, SHAPE = "~", "shape"

LONGEST_TEXT, LONGEST_REMARKS, LONGEST_REMARK, MOST_REMARKS = 4000, 2000, 200, 40
"""Most characters of a named model, of all its remarks as an address quotes them, and of one; most remarks."""

_WHAT = "the link's model"
_ORIGINS = {"config": FROM_CONFIG}
"""Origins that a link may claim, by the word that stands for each."""

_LEFT_OUT = "{:,} more that did not fit into the link; the config.json holds them"
_FIELDS = {field.name: field for field in fields(Architecture)}


def write_named_model(model: NamedModel) -> str:
    """Write a named model for a link: architecture, name, origin and remarks.

    >>> from slimlm.core.named_model import FROM_CONFIG
    >>> small = Architecture(d_model=216, d_ff=544, n_layers=12)
    >>> write_named_model(NamedModel("small", small, FROM_CONFIG, ("soft-capped logits",)))
    'shape~d_model-216~d_ff-544~n_layers-12~name-small~origin-config~remark-soft-capped logits'

    Remarks that do not fit are replaced by a remark that counts them.
    """
    origins = [("origin", word) for word, origin in _ORIGINS.items() if origin == model.origin]
    parts = [*shape_parts(model.architecture), ("name", tidy_name(model.name)), *origins]
    return join([SHAPE], [*parts, *(("remark", remark) for remark in fitting(model.remarks))])


def read_named_model(text: str) -> NamedModel:
    """Read a named model that `write_named_model` wrote, or the JSON that links held before.

    Raises ValueError, in one sentence, for any other text and for an architecture that is not possible.
    """
    check_size(len(text), _WHAT, LONGEST_TEXT, "characters")
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _from_json(text)
    kind, *parts = split(text)
    if kind != SHAPE:
        raise ValueError(f"{_WHAT} is {shown(text)}: it must start with {SHAPE}{SEPARATOR}; copy the whole link again")
    pairs = [named_value(part) for part in parts]
    given = unique([pair for pair in pairs if pair[0] != "remark"], _WHAT)
    name, origin = given.pop("name", ""), given.pop("origin", "")
    return NamedModel(tidy_name(name), read_shape(given, _WHAT), _read_origin(origin), read_remarks(pairs))


def _read_origin(word: str) -> str:
    if not word:
        return FROM_LINK
    check_option("origin", word, _ORIGINS)
    return _ORIGINS[word]


def read_remarks(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the remarks among the parts of a text; raises ValueError for more than `MOST_REMARKS`."""
    remarks = _lines(value for field, value in pairs if field == "remark")
    check_size(len(remarks), _WHAT, MOST_REMARKS, "remarks")
    return tuple(remarks)


def _lines(remarks: Iterable[str]) -> list[str]:
    return list(filter(None, (one_line(remark, LONGEST_REMARK) for remark in remarks)))


def fitting(remarks: Sequence[str]) -> list[str]:
    """Return the remarks that fit into a link; a last one counts those that do not.

    What is returned fits as well, so that a model that was read is written the same again.
    """
    lines = _lines(remarks)
    ends = list(accumulate(len(quote_plus(line)) for line in lines))
    if len(lines) <= MOST_REMARKS and (not lines or ends[-1] <= LONGEST_REMARKS):
        return lines
    room = LONGEST_REMARKS - len(quote_plus(_LEFT_OUT.format(len(lines))))
    kept = [line for line, end in zip(lines[: MOST_REMARKS - 1], ends, strict=False) if end <= room]
    return [*kept, _LEFT_OUT.format(len(lines) - len(kept))]


def _from_json(text: str) -> NamedModel:
    given = read_json(text, _WHAT, LONGEST_TEXT)
    name = tidy_name(str(given.pop("name", "")))
    check_names(_WHAT, given, _FIELDS, ModelDims._fields)
    return NamedModel(name, Architecture(**given), FROM_LINK)


def shape_parts(arch: Architecture) -> list[tuple[str, str]]:
    """Return the fields of an architecture that are not at their default, each with its exact value as text."""
    implied = {name: field.default for name, field in _FIELDS.items()} | {"n_kv_heads": arch.n_heads}
    if arch.head_width * arch.n_heads == arch.d_model:
        implied["head_dim"] = arch.head_width
    return [(name, _write(name, value)) for name, value in arch.concrete().items() if value != implied[name]]


def read_shape(given: Mapping[str, str], what: str) -> Architecture:
    """Return the architecture of the fields that `shape_parts` wrote.

    Raises ValueError, in one sentence, for unknown and missing fields and for values that are not possible.
    """
    check_names(what, given, _FIELDS, ModelDims._fields)
    return Architecture(**{name: _read(name, text) for name, text in given.items()})  # type: ignore[arg-type]


def _write(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(_FIELDS[name].default, float):  # the value may be an int: config.json holds rope_theta=100000
        return repr(float(value)).removesuffix(".0")
    return format_size(value) if isinstance(value, int) else str(value)


def _read(name: str, text: str) -> object:
    default = _FIELDS[name].default
    if isinstance(default, bool):
        return KNOBS[name].read(text)
    if isinstance(default, str):
        return text
    try:
        return _read_real(text) if isinstance(default, float) else parse_size(text)
    except ValueError as error:
        raise ValueError(f"{name}={text[:40]!r} is not a number") from error


def _read_real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float(parse_size(text))  # "100k": written by earlier versions


def join(heads: Iterable[str], parts: Iterable[tuple[str, str]]) -> str:
    """Join the kind (and what else stands without a field's name) and the parts of a text."""
    texts = [*heads, *(f"{name}-{value}" for name, value in parts)]
    return SEPARATOR.join(text.replace(SEPARATOR, 2 * SEPARATOR) for text in texts)


def split(text: str) -> list[str]:
    """Split a text that `join` wrote.

    >>> split(join(["shape"], [("name", "~a~~b~"), ("n_layers", "2")]))
    ['shape', 'name-~a~~b~', 'n_layers-2']
    """
    return [part.replace("\0", SEPARATOR) for part in text.replace(2 * SEPARATOR, "\0").split(SEPARATOR)]


def named_value(part: str) -> tuple[str, str]:
    """Return the field and the value of a part; raises ValueError for a part without a dash."""
    name, dash, text = part.partition("-")
    if not dash:
        raise ValueError(f"{shown(part)} is not a field and its value, such as total_params-12.5M")
    return name, text
