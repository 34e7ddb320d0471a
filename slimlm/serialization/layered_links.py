"""Models whose layers differ as text in links: the keys of their config that determine them.

`layers~model_type-"lfm2"~hidden_size-2048~name-small`: a part for each key, its value as JSON. A list with repeated
values is written as runs: `{"runs":[[3,"conv"],[1,"full_attention"]]}`.
"""

from collections.abc import Mapping
from itertools import groupby
from json import dumps
from typing import Any, NamedTuple

from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import FROM_CONFIG, FROM_LINK, tidy_name
from slimlm.serialization.links import LONGEST_TEXT, SEPARATOR, fitting_remarks, join, named_value, read_remarks, split
from slimlm.utils.files import check_size, read_json, unique
from slimlm.utils.formatting import shown
from slimlm.utils.text import one_line

LAYERS = "layers"

_WHAT = "the link's model"
_MOST_ITEMS = 4096
_LONGEST_KEY = 60


def write_layered(model: LayeredModel) -> str:
    """Write a model for a link: the keys of its config, its name and its origin.

    Raises ValueError, in one sentence, for a model that takes more than `LONGEST_TEXT` characters.
    """
    parts = [(key, dumps(_packed(value), separators=(",", ":"))) for key, value in model.config.items()]
    origin = [("origin", "config")] if model.origin == FROM_CONFIG else []
    said = [("remark", remark) for remark in fitting_remarks(model.remarks)]
    text = join([LAYERS], [*parts, ("name", tidy_name(model.name)), *origin, *said])
    check_size(len(text), "the link of this model", LONGEST_TEXT, "characters")
    return text


def is_layered(text: str) -> bool:
    """Whether a link's text is of this kind."""
    return text.partition(SEPARATOR)[0] == LAYERS


class LayeredLink(NamedTuple):
    """What a link says of a model whose layers differ."""

    config: dict[str, Any]
    name: str
    origin: str
    remarks: tuple[str, ...]


def read_layered(text: str) -> LayeredLink:
    """Read a text that `write_layered` wrote.

    Raises ValueError, in one sentence, for any other text.
    """
    check_size(len(text), _WHAT, LONGEST_TEXT, "characters")
    pairs = [named_value(part) for part in split(text)[1:]]
    given = unique([pair for pair in pairs if pair[0] != "remark"], _WHAT)
    name, origin = tidy_name(given.pop("name", "")), given.pop("origin", "")
    config = {
        key: _unpacked(read_json(value, f"{_WHAT}, {one_line(key, _LONGEST_KEY)}", LONGEST_TEXT))
        for key, value in given.items()
    }
    return LayeredLink(
        config,
        name,
        FROM_CONFIG if origin == "config" else FROM_LINK,
        read_remarks(value for key, value in pairs if key == "remark"),
    )


def _packed(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    runs = [[len(list(group)), item] for item, group in groupby(value)]
    return {"runs": runs} if 2 * len(runs) < len(value) else value


def _unpacked(value: Any) -> Any:
    """Return a list in full; raises ValueError for runs that are malformed or too long."""
    if not isinstance(value, Mapping) or set(value) != {"runs"}:
        return value
    runs = value["runs"]
    whole = isinstance(runs, list) and all(
        isinstance(run, list) and len(run) == 2 and type(run[0]) is int and 0 < run[0] <= _MOST_ITEMS for run in runs
    )
    if not whole or sum(run[0] for run in runs) > _MOST_ITEMS:
        raise ValueError(f"{_WHAT} has runs={shown(runs)}: they must be pairs of a count and a value")
    return [item for count, item in runs for _ in range(count)]
