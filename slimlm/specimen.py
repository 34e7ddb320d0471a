"""Specimen: a concrete model that nobody asked slimlm for, and the request that would bring it about."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from slimlm.accounting import Account, account
from slimlm.architecture import Architecture, Choices
from slimlm.config import ModelConfig
from slimlm.design import Design, ModelDims
from slimlm.fields import nearest_allowed
from slimlm.foreign import named, one_line, read_json, shown
from slimlm.hf import from_hf_config, unmodelled
from slimlm.published import PublishedModel
from slimlm.record import to_record
from slimlm.solver import BudgetError, solve
from slimlm.units import parse_number
from slimlm.words import shape_line

LONGEST_NAME, LONGEST_TEXT = 60, 4000
"""Most characters of a name, and of a whole specimen, in a link."""


@dataclass(frozen=True)
class Specimen:
    """A concrete model under a name: published, or described by somebody's config.json."""

    name: str
    architecture: Architecture
    origin: str
    """Where it comes from, in a few words: "Published 2024"."""
    remarks: tuple[str, ...] = ()
    """What its architecture does not say, and does not count: attention windows, soft-capping and the like."""

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return ModelDims(self.architecture.d_model, self.architecture.d_ff, self.architecture.n_layers)

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    @property
    def title(self) -> str:
        """Name, size and shape on one line.

        >>> Specimen("small", Architecture(d_model=216, d_ff=544, n_layers=12), "From a file").title
        'small · 10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
        """
        return f"{self.name} · {shape_line(self.account)}"


Subject = Design | Specimen
"""What charts, tables and files show: a model with its account and its title."""


def published_specimen(model: PublishedModel) -> Specimen:
    """Return a published model as a specimen."""
    return Specimen(model.name, model.architecture, f"Published {model.year}", (model.note,) if model.note else ())


def hf_specimen(config: Mapping[str, Any] | Path, name: str) -> Specimen:
    """Return what a Hugging Face config, or the file at a path, describes.

    >>> hf_specimen({"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9}, "small").origin
    'From a config.json'

    Raises ValueError, in one sentence, for a config that no Architecture describes.
    """
    return Specimen(_name(name), from_hf_config(config), "From a config.json", unmodelled(config))


def name_in(config: Mapping[str, Any]) -> str:
    """Return the name that a Hugging Face config holds, or else its model type.

    >>> name_in({"model_type": "llama", "_name_or_path": "someone/small-llama"})
    'small-llama'
    """
    held = config.get("_name_or_path") or config.get("model_type")
    return held.rstrip("/").rpartition("/")[2] if isinstance(held, str) else ""


def _name(text: str) -> str:
    return one_line(text, LONGEST_NAME) or "unnamed"


def specimen_record(specimen: Specimen) -> dict[str, Any]:
    """Return a specimen ready for JSON: its name, its origin, and the record of a design that asks for it."""
    design = Design(nearest_request(specimen.architecture), specimen.architecture)
    head = {"name": specimen.name, "origin": specimen.origin, "remarks": list(specimen.remarks)}
    return head | to_record(design)


def nearest_request(architecture: Architecture) -> ModelConfig:
    """Return the request whose total, ratio, expansion and depth are those of an architecture, as a link writes them.

    Values outside a request's limits are moved to the limit, so that a design of it may differ: see `request_like`.
    """
    counted = account(architecture)
    realised = {
        "total_params": counted.total_params,
        "embedding_ratio": _as_written(counted.embedding_ratio),
        "glu_expansion": _as_written(architecture.glu_expansion),
    }
    chosen = {field.name: getattr(architecture, field.name) for field in fields(Choices)}
    if architecture.n_heads * architecture.head_dim == architecture.d_model:
        chosen["head_dim"] = None
    if architecture.n_kv_heads == architecture.n_heads:
        chosen["n_kv_heads"] = None
    allowed = {name: nearest_allowed(ModelConfig, name, value) for name, value in realised.items()}
    return ModelConfig(**chosen, **allowed, n_layers=architecture.n_layers)  # type: ignore[arg-type]


def _as_written(value: float) -> float:
    """Round as a link does and as it is read back."""
    return parse_number(f"{value:.10g}")


def request_like(architecture: Architecture) -> ModelConfig:
    """Return a request for which `solve` finds exactly this architecture.

    >>> wide = Architecture(d_model=768, d_ff=3072, n_layers=12, n_heads=12, ffn="gelu", bias="all")
    >>> solve(request_like(wide)).architecture == wide
    True

    Raises ValueError when there is none, because its ratio or expansion is beyond what a request may ask for.
    """
    request = nearest_request(architecture)
    try:
        found = solve(request).architecture
    except BudgetError:
        found = None
    if found != architecture:
        ratio, expansion = account(architecture).embedding_ratio, architecture.glu_expansion
        raise ValueError(
            f"no request gives exactly this architecture: its embedding ratio {ratio:g} or its expansion {expansion:g} "
            "is beyond the limits or the six decimals of a request"
        )
    return request


def to_text(specimen: Specimen) -> str:
    """Write a specimen as compact JSON for a link, every field of its architecture included."""
    record = {"name": specimen.name} | asdict(specimen.architecture)
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> Specimen:
    """Read a specimen that `to_text` has written.

    Raises ValueError, in one sentence, for text that is something else, or for an architecture that cannot be.
    """
    record = read_json(text, "the link's model", LONGEST_TEXT)
    if not isinstance(record, dict):
        raise ValueError(f"the link's model is {shown(record)}: it must be an object; copy the whole link again")
    given = {name: value for name, value in record.items() if name != "name"}
    known = {field.name for field in fields(Architecture)}
    for problem, names in (("unknown", given.keys() - known), ("missing", {*ModelDims._fields} - given.keys())):
        if names:
            raise ValueError(f"the link's model has {problem} fields: {named(names)}")
    return Specimen(_name(str(record.get("name", ""))), Architecture(**given), "From a link")
