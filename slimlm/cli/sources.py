"""Models by request, name or path, as commands take them."""

import argparse
import sys
from pathlib import Path

from slimlm.cli.progress import is_first_process
from slimlm.cli.request import request_of
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import FROM_CONFIG, NamedModel, Subject
from slimlm.core.published import published_model
from slimlm.interop.hf.import_config import hf_named_model
from slimlm.interop.read_model import read_model
from slimlm.serialization.flags import OPTIONS
from slimlm.solver.solver import solve
from slimlm.utils.formatting import parse_size

_SUFFIXES = (".json", ".yaml", ".yml")


def is_file(source: str) -> bool:
    """Whether a source is meant as the path of a config or of its folder."""
    path = Path(source)
    return path.exists() or path.suffix in _SUFFIXES or len(path.parts) > 1


def named_model(source: str) -> NamedModel:
    """Return the published model with this name, or the model of the config at this path."""
    if not is_file(source):
        return published_model(source)
    return hf_named_model(Path(source), _name_of(Path(source)))


def inspected_model(source: str) -> NamedModel | LayeredModel:
    """Return the published model with this name, or the model of the config at this path; some are only counted."""
    return read_model(Path(source), _name_of(Path(source))) if is_file(source) else published_model(source)


def _name_of(path: Path) -> str:
    home, common = path if path.is_dir() else path.parent, ("config", "params", "model_config")
    return path.stem if path.is_file() and path.stem not in common else home.resolve().name


def told(model: NamedModel) -> NamedModel:
    """Print the remarks on a model from a config to the standard error, and return the model."""
    if model.origin == FROM_CONFIG and is_first_process():
        for remark in model.remarks:
            print(f"slimlm: {model.name}: {remark}", file=sys.stderr)
    return model


def names_a_model(source: str) -> bool:
    """Whether a source is the name or the path of a model, rather than a total."""
    if is_file(source):
        return True
    try:
        parse_size(source)
    except ValueError:
        return source[:1].isalpha()
    return False


def subject_of(options: argparse.Namespace) -> Subject:
    """Return the design of a total, or the named model of a name or a path.

    Raises ValueError, in one sentence, for an invalid request, and for options of a request beside a named model.
    """
    source: str = options.total_params
    if not names_a_model(source):
        return solve(request_of(options))
    given = [OPTIONS[name].flag for name in OPTIONS if getattr(options, name) is not None]
    given += ["--family"] if options.family else []
    if given:
        raise ValueError(f"{given[0]} does not apply to {source}, which has a shape of its own: a total would work")
    return told(named_model(source))
