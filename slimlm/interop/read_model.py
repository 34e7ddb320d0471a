"""The model of any config that slimlm reads: one that an Architecture describes, or one whose layers differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel
from slimlm.interop.hf.import_config import hf_named_model, load_config
from slimlm.interop.hf.source import find_source
from slimlm.interop.layered import LAYERED, layered_model


def read_model(source: Mapping[str, Any] | Path, name: str) -> NamedModel | LayeredModel:
    """Return the model of a config, or of the file at a path.

    >>> [type(read_model({"model_type": model_type}, "small")).__name__ for model_type in ("lfm2", "gpt2")]
    ['LayeredModel', 'NamedModel']

    Raises ValueError, in one sentence, for a config that is not read.
    """
    config = source if isinstance(source, Mapping) else load_config(source)
    found = find_source(config)
    if str(found.config.get("model_type")) in LAYERED:
        return layered_model(found.config, name, said=found.said)
    return hf_named_model(config, name)
