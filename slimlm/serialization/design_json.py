"""Designs and named models as JSON, and requests read back from it."""

from dataclasses import asdict, fields
from typing import Any

from slimlm.core.accounting import Account
from slimlm.core.config import ModelConfig, written
from slimlm.core.design import Design, targets_of
from slimlm.core.named_model import NamedModel
from slimlm.serialization.fields import LATER_FIELDS
from slimlm.solver.inverse import nearest_request
from slimlm.utils.files import check_names, read_json

FORMAT = "slimlm-design-1"
MAX_BYTES = 100_000
"""A saved design has about 3 kB."""


def to_record(design: Design) -> dict[str, Any]:
    """Return request, architecture, account and misses of a design as data for JSON."""
    return _record(design.config, design.account)


def _record(config: ModelConfig, account: Account) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "request": written(asdict(config)),
        "architecture": written(account.architecture.concrete()),
        "account": {
            "total_params": account.total_params,
            "non_embedding_params": account.non_embedding_params,
            "active_params": account.active_params,
            "components": [
                {
                    "key": part.key,
                    "name": part.name,
                    "formula": part.formula,
                    "shapes": {name: list(shape) for name, shape in part.shapes.items()},
                    "copies": part.copies,
                    "params": part.params,
                    "share": part.share,
                    "note": part.note,
                }
                for part in account.components
            ],
        },
        "asked_got": [
            {"name": knob.name, "asked": knob.target, "got": knob.actual, "miss": knob.miss}
            for knob in targets_of(config, account)
        ],
    }


def request_from_text(text: str | bytes) -> ModelConfig:
    """Return the request of a saved design from the text of its file.

    Raises ValueError, in one sentence, for a file that `read_json` rejects or that is not a saved design.
    """
    return request_from_record(read_json(text, "the file", MAX_BYTES))


def request_from_record(record: object) -> ModelConfig:
    """Return the request of a saved design.

    Raises ValueError for anything else, and for a request with unknown, missing or invalid fields.
    """
    saved = record if isinstance(record, dict) and record.get("format") == FORMAT else {}
    request = saved.get("request")
    if not isinstance(request, dict):
        raise ValueError(f"this is not a design saved by slimlm; its JSON would hold format={FORMAT!r} and a request")
    known = {field.name for field in fields(ModelConfig)}
    check_names("the saved request", request, known, known - LATER_FIELDS)
    return ModelConfig(**request)


def named_model_record(named_model: NamedModel) -> dict[str, Any]:
    """Return a named model as data for JSON: name, origin, remarks, and the record of its nearest request."""
    head = {"name": named_model.name, "origin": named_model.origin, "remarks": list(named_model.remarks)}
    return head | _record(nearest_request(named_model.architecture), named_model.account)
