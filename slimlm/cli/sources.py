"""Models by name or path, as `inspect` and `export` take them."""

from pathlib import Path

from slimlm.core.named_model import NamedModel
from slimlm.core.published import published_model
from slimlm.interop.hf.import_config import hf_named_model


def is_file(source: str) -> bool:
    """Whether a source is meant as the path of a config.json or of its folder."""
    path = Path(source)
    return path.exists() or path.suffix == ".json" or len(path.parts) > 1


def named_model(source: str) -> NamedModel:
    """Return the published model with this name, or the model of the config.json at this path."""
    if not is_file(source):
        return published_model(source)
    path = Path(source)
    home = path if path.is_dir() else path.parent
    return hf_named_model(path, path.stem if path.is_file() and path.stem != "config" else home.resolve().name)
