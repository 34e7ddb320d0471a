"""Options of `slimlm rank`, and the study that they ask for."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.cli.recipe import add_recipe, read_field, recipe_of, recipe_option
from slimlm.cli.request import TOTAL_HELP, add_knobs, escaped, request_of
from slimlm.cli.sources import is_file, named_model, told
from slimlm.cli.sweep import add_axes, axis_of
from slimlm.cli.training_data import (
    BUILT_IN,
    DATA,
    add_data,
    built_in_data,
    check_text_options,
    is_corpus,
    text_data,
)
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import NamedModel, tidy_name
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import finite
from slimlm.serialization.design_json import FORMAT, request_from_text
from slimlm.solver.solver import solve
from slimlm.study.cells import data_sizes, study_cells
from slimlm.study.request import StudyRequest, second_version
from slimlm.study.study import STUDY, Study, open_study
from slimlm.sweep.grid import Axis
from slimlm.utils.files import read_bytes, read_json
from slimlm.utils.formatting import parse_number, parse_size
from slimlm.utils.optional import NUMPY, SAFETENSORS, TORCH, need
from slimlm.utils.validation import check_option, field_docs

if TYPE_CHECKING:
    from slimlm.data.token_data import TokenData

_PLAIN_SHAPE = {"positions": "rope", "norm": "rmsnorm", "dropout": "0"}
"""Choices of a study where none are given: those of today's models, which other libraries can score; no dropout."""

_MAX_BYTES = 1_000_000
"""Of a config.json or a saved design."""

_GENERATED_HELDOUT = 10_000
"""Held-out tokens of a generated source: scoring more would take longer than the runs of a rehearsal."""

_SMALL = 5_000_000
"""Total below which heads are 8 wide and sequences 128 tokens long by default, else 32 and 512."""

_OF_ANY_STUDY = {
    *("help", "out", "dry_run", "engine", "workers", "address", "deadline", "keep_weights", "device", "nice"),
    *("data", "field"),
}
"""Options that apply to a study that is there as well: how and where it is trained, and where its text is."""

_HEADS = ("n_heads", "n_kv_heads", "head_dim", "multiple_of")


@dataclass(frozen=True)
class _Quick:
    """The rehearsal: everything that a study has, at a size that ends in two minutes on two cores."""

    total: str = "60k"
    vocab_size: str = "512"
    head_dim: int = 8
    length: int = 64
    x: str = "embedding_ratio=0.3,0.45"
    y: str = "glu_expansion=2,4"
    seeds: str = "2"
    tokens: int = 30_000
    batch_tokens: int = 1024
    learning_rate: float = 8e-3


QUICK = _Quick()


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add the options of a study."""
    parser.add_argument("--total", dest="total_params", metavar="TOTAL", help=escaped(TOTAL_HELP + " (default 10M)"))
    add_axes(parser)
    text = "further cell: name of a published model, or path of a config.json or a saved design; may be repeated"
    parser.add_argument("--model", metavar="NAME|FILE", action="append", default=[], help=text)
    docs = field_docs(StudyRequest)
    parser.add_argument("--seeds", metavar="N", help=f"{docs['seeds']} (default 3)")
    parser.add_argument("--equal", metavar="tokens|flops", default="tokens", help=f"{docs['equal']} (default tokens)")
    parser.add_argument(
        "--second-horizon", metavar="N", default="0.25", help=f"{docs['second_horizon']} (default 0.25)"
    )
    text = "field of the second recipe that differs from the first; may be repeated (default: smaller embeddings, a "
    parser.add_argument(
        "--second-recipe",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help=f"{text}short warm-up and batches twice as large)",
    )
    parser.add_argument("--no-controls", action="store_true", help="leave out the controls")
    parser.add_argument("--prediction", metavar="TEXT", default="", help="what you expect, kept with the study")
    add_knobs(parser)
    add_data(parser)
    parser.add_argument("--data-name", metavar="NAME", help="name of the text in charts (default: that of its files)")
    add_recipe(parser)
    parser.set_defaults(defaults=_study_defaults(parser))


def _study_defaults(parser: argparse.ArgumentParser) -> dict[str, tuple[str, object]]:
    """Return the flag and the default of each option that determines a new study, by its place."""
    return {
        action.dest: (action.option_strings[0], action.default)
        for action in parser._actions
        if action.option_strings and action.dest not in _OF_ANY_STUDY
    }


def study_request(options: argparse.Namespace) -> StudyRequest:
    """Return the study that the options ask for.

    Raises ValueError, in one sentence, for options that do not make a study.
    """
    if options.quick:
        _fill_quick(options)
    options.total_params = options.total_params or "10M"
    x, y = (Axis(name, tuple(values)) for name, values in (axis_of("x", options.x), axis_of("y", options.y)))
    small = parse_size(options.total_params) < _SMALL
    held = _held_heads(options, {x.name, y.name}, small)
    if not options.family:
        for name, value in _PLAIN_SHAPE.items():
            if getattr(options, name) is None and name not in {x.name, y.name}:
                setattr(options, name, value)
    length = recipe_option(options, "sequence_length") or options.max_seq_length or str(128 if small else 512)
    options.max_seq_length = options.max_seq_length or length
    base = request_of(options)
    recipe = recipe_of(options, _recipe_defaults(options, parse_size(length)))
    return StudyRequest(
        base=_plain_base(base, x, y),
        x=x,
        y=y,
        models=tuple(map(_further, options.model)),
        recipe=recipe,
        second_recipe=_second_recipe(options, recipe),
        seeds=parse_size(options.seeds or "3"),
        equal=options.equal,
        head_dim=held,
        second_horizon=parse_number(options.second_horizon),
        controls=not options.no_controls,
        prediction=options.prediction,
    )


def _further(source: str) -> NamedModel:
    """Return the model of a published name, of a config.json, or of a design that was saved as JSON."""
    if not is_file(source) or not Path(source).is_file():
        return named_model(source)
    text = read_bytes(Path(source), source, _MAX_BYTES)
    try:
        record = read_json(text, source, _MAX_BYTES)
    except ValueError:  # a config may be text of another form
        return told(named_model(source))
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        return told(named_model(source))
    return NamedModel(tidy_name(Path(source).stem), solve(request_from_text(text)).architecture, "From a design")


def _fill_quick(options: argparse.Namespace) -> None:
    """Set everything that the rehearsal fixes; raises ValueError for options that it does not take."""
    if options.data or options.total_params:
        given = "--data" if options.data else "--total"
        raise ValueError(f"{given} does not apply with --quick, which has a model and a source of its own")
    for name in ("x", "y", "max_seq_length"):
        if getattr(options, name) != options.defaults[name][1]:
            raise ValueError(f"{options.defaults[name][0]} does not apply with --quick, which fixes it")
    options.total_params, options.vocab_size = QUICK.total, options.vocab_size or QUICK.vocab_size
    options.x, options.y, options.seeds = QUICK.x, QUICK.y, options.seeds or QUICK.seeds
    options.max_seq_length = str(QUICK.length)
    options.source = options.source or "known-entropy"


def _held_heads(options: argparse.Namespace, axes: set[str], small: bool) -> int | None:
    """Return the width of heads that is held over the cells; None where the options or the axes say otherwise."""
    given = [name for name in _HEADS if getattr(options, name) is not None]
    if given == ["head_dim"]:
        held, options.head_dim = parse_size(options.head_dim), None
        return held
    if given or axes & set(_HEADS):
        return None
    return (QUICK.head_dim if options.quick else 8) if small else 32


def _recipe_defaults(options: argparse.Namespace, length: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"sequence_length": length}
    if options.quick:
        names = ("tokens", "batch_tokens", "learning_rate")
        defaults |= {name: getattr(QUICK, name) for name in names} | {"evaluate_tokens": 4096}
    return defaults


def _second_recipe(options: argparse.Namespace, recipe: TrainRecipe) -> TrainRecipe:
    if not options.second_recipe:
        return second_version(recipe)
    changes: dict[str, Any] = {}
    for text in options.second_recipe:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(
                f"--second-recipe {text[:40]!r} has no value: FIELD=VALUE, such as optimizer=muon, would work"
            )
        changes[name.strip().replace("-", "_")] = read_field(name.strip().replace("-", "_"), value.strip())
    return replace(recipe, **changes)


def _plain_base(base: ModelConfig, x: Axis, y: Axis) -> ModelConfig:
    """Return the base with the first values of the axes, so that equal studies are equal whatever was given beside."""
    values: Mapping[str, Any] = {x.name: x.values[0], y.name: y.values[0]}
    return replace(base, **values)


# Data.


def study_of(options: argparse.Namespace, request: StudyRequest, folder: Path) -> Study:
    """Return the study with its data, tokenised into the folder of the study where it is text.

    Raises ValueError, in one sentence, for text that cannot be used, and as `study_cells` does.
    """
    earlier = _earlier(folder, request)
    need("a study", TORCH, NUMPY, SAFETENSORS)
    from slimlm.engines.data import study_data, write_places

    data, places = {}, {}
    for size in data_sizes(study_cells(request)):
        place = Path(options.data[0]) if is_corpus(options.data) else folder / DATA / str(size)
        found = study_data(_tokens(options, size, place, folder))
        data[size] = replace(found, name=options.data_name or found.name)
        if is_corpus(options.data):
            places[size] = place
    if earlier and dict(earlier.data) != data:
        raise ValueError(f"{folder} holds a study on other data: another folder, or the same data, would work")
    study = Study(request, data)
    if places:
        write_places(folder, places)
    return study


def _earlier(folder: Path, request: StudyRequest) -> Study | None:
    """Return the study that is in a folder; raises ValueError for another one, before anything of it is replaced."""
    if not (folder / STUDY).exists():
        return None
    earlier = open_study(folder)
    if finite(earlier.request.to_record()) != finite(request.to_record()):
        raise ValueError(f"{folder} holds another study: another folder, or the same request, would work")
    return earlier


def place_data(options: argparse.Namespace, study: Study, folder: Path) -> None:
    """Say where on this machine the text of a study is, tokenised or not; the engine compares its tokens.

    Raises ValueError, in one sentence, for text that cannot be used.
    """
    from slimlm.data.corpus import open_corpus
    from slimlm.engines.data import write_places

    if is_corpus(options.data):
        found = open_corpus(Path(options.data[0])).digest
        for size, data in study.data.items():
            if data.digest != found:
                raise ValueError(
                    f"--data {options.data[0]} is not the text of the study for vocab_size={size}: the data that the "
                    "study was begun with would work"
                )
        write_places(folder, {size: Path(options.data[0]) for size in study.data})
        return
    for size in study.data:
        text_data(options, size, folder / DATA / str(size))


def _tokens(options: argparse.Namespace, size: int, place: Path, folder: Path) -> "TokenData":
    if options.data:
        if options.source:
            raise ValueError("--source does not apply with --data: one of the two would work")
        return text_data(options, size, place)
    check_text_options(options)
    source = options.source or "prose"
    check_option("source", source, BUILT_IN)
    if source == "known-entropy":
        from slimlm.engines.data import write_generator

        return write_generator(folder, size, heldout_tokens=_GENERATED_HELDOUT)
    return built_in_data(source, size, place)
