"""Models on disk: slimlm's own folders, for every architecture, and Hugging Face's, where transformers has the class.

Weights are in safetensors files, which hold numbers and no code: nothing is ever unpickled. A tied head is stored once.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from slimlm.core.accounting import Component, Shape, account
from slimlm.core.architecture import Architecture
from slimlm.core.config import UNWRITTEN_FIELDS, ModelConfig, written
from slimlm.core.design import Design
from slimlm.interop.hf.export_config import native_class, to_hf_config
from slimlm.interop.hf.tensor_names import TENSORS
from slimlm.model.hf_weights import renamed_weights
from slimlm.model.language_model import LanguageModel
from slimlm.model.weights_file import check_weights_file
from slimlm.utils.files import UnwritableError, check_names, read_bytes, read_json, reason, replacing, unreadable
from slimlm.utils.text import named
from slimlm.utils.validation import FieldError

FORMAT = "slimlm-model-1"
MAX_BYTES = 100_000
"""A slimlm.json has some 2 kB."""

_CONFIG, _WEIGHTS = "slimlm.json", "model.safetensors"
_REAL = ("F64", "F32", "F16", "BF16")

_Fields = TypeVar("_Fields", Architecture, ModelConfig)


def save_pretrained(model: LanguageModel, folder: str | Path) -> Path:
    """Write a model of any architecture into a folder, for `from_pretrained`, and return the folder.

    slimlm.json holds the architecture, and the request if the model was solved for one; model.safetensors holds the
    weights in their own dtypes. Files of these names are replaced.

    Raises ValueError for a model on the meta device, and when the folder is a file; OSError when the files cannot be
    written; existing files then stay unchanged.
    """
    record = {
        "format": FORMAT,
        "architecture": written(model.architecture.concrete()),
        "request": written(asdict(model.config)) if model.config else None,
    }
    return _write(Path(folder), {_CONFIG: record}, dict(model.named_parameters()))


def export_pretrained(model: LanguageModel, folder: str | Path) -> Path:
    """Write a model into a folder that transformers' `AutoModelForCausalLM` loads, and return the folder.

    It writes config.json (see `to_hf_config`), generation_config.json, and model.safetensors with transformers' weight
    names, but no tokenizer. Files of these names are replaced.

    Raises ValueError when no class of transformers is exactly the architecture, for a model on the meta device, and
    when the folder is a file; OSError when the files cannot be written; existing files then stay unchanged.
    """
    config = to_hf_config(model.architecture, str(model.token_embedding.weight.dtype).removeprefix("torch."))
    generation = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    layout = TENSORS[native_class(model.architecture).model_type]
    records = {"config.json": config, "generation_config.json": generation}
    return _write(Path(folder), records, renamed_weights(model, layout))


def from_pretrained(
    folder: str | Path, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> LanguageModel:
    """Return the model that `save_pretrained` wrote into a folder, in evaluation mode.

    `dtype` is a floating-point type for all weights; None keeps the types that they were saved in. Weights are not
    initialised first, and never copied: on the CPU they are mapped from the file until they change.

    Raises ValueError for a folder that lacks a file, for a file that cannot be read, is too large,
    broken or of another format, for fields that are unknown, missing or impossible, and for tensors that are missing,
    unexpected, or of a wrong shape or type.
    """
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype={dtype} is not allowed: weights are real numbers; dtype=torch.float32 would work")
    record = read_json(read_bytes(_file(Path(folder), _CONFIG), _CONFIG, MAX_BYTES), _CONFIG, MAX_BYTES)
    source = _source(record)
    architecture = source.architecture if isinstance(source, Design) else source
    target = torch.get_default_device() if device is None else torch.device(device)
    weights = _read_weights(_file(Path(folder), _WEIGHTS), architecture, target, dtype)
    if architecture.tied_lm_head:
        weights["lm_head.weight"] = weights["token_embedding.weight"]
    model = LanguageModel(source, device="meta")
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _write(folder: Path, records: Mapping[str, object], weights: Mapping[str, Tensor]) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"folder={str(folder)!r} is a file, and a model needs a folder; the name of a folder would work"
        )
    if any(weight.is_meta for weight in weights.values()):
        raise ValueError("a model on the meta device has no weights to save; one built with device='cpu' would work")
    tensors = {name: weight.detach().contiguous() for name, weight in weights.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:  # all files are complete before the first old one is replaced
            for name, record in records.items():
                part = files.enter_context(replacing(folder / name, follow=False))
                part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            # A new file: a loaded model may still map the pages of the old one.
            save_file(
                tensors, files.enter_context(replacing(folder / _WEIGHTS, follow=False)), metadata={"format": "pt"}
            )
    except (OSError, SafetensorError) as error:
        raise UnwritableError(
            f"folder={str(folder)!r} cannot be written: {reason(error)}; another folder would work"
        ) from error
    return folder


def _file(folder: Path, name: str) -> Path:
    try:
        found = (folder / name).is_file()
    except OSError as error:
        raise unreadable(name, error) from None
    if not found:
        raise ValueError(f"folder={str(folder)!r} holds no {name}; a folder that save_pretrained wrote would work")
    return folder / name


def _source(record: object) -> Architecture | Design:
    """Return the architecture of a record, or the design of which it is a part."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"{_CONFIG} is not a model saved by slimlm; its JSON would hold format={FORMAT!r}")
    known = {"format", "architecture", "request"}
    check_names("the saved model", record, known, known)
    architecture = _fields(Architecture, "architecture", record["architecture"])
    if record["request"] is None:
        return architecture
    request = _fields(ModelConfig, "request", record["request"])
    try:
        return Design(request, architecture)
    except ValueError as error:
        problem = error.problem if isinstance(error, FieldError) else str(error)
        raise ValueError(
            f"the saved request does not fit the saved architecture: {problem}; request=null would work"
        ) from None


def _fields(kind: type[_Fields], name: str, saved: object) -> _Fields:
    if not isinstance(saved, dict):
        raise ValueError(f"the saved {name} must be an object of fields and their values")
    known = {field.name for field in fields(kind)}
    check_names(f"the saved {name}", saved, known, known - UNWRITTEN_FIELDS)
    return kind(**saved)


def _read_weights(
    file: Path, architecture: Architecture, device: torch.device, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    check_weights_file(file, _WEIGHTS)
    try:
        with safe_open(file, framework="pt", device=str(device)) as saved:
            names = saved.keys()
            _check_tensors({name: saved.get_slice(name) for name in names}, architecture)
            return {name: saved.get_tensor(name).to(dtype=dtype) for name in names}
    except (SafetensorError, OSError) as error:
        raise unreadable(_WEIGHTS, error) from None


def _check_tensors(found: Mapping[str, Any], architecture: Architecture) -> None:
    """Raise ValueError for tensors that do not fit the architecture, before any is read and any module is built."""
    owners = {name: part for part in account(architecture).components for name in part.shapes}
    for name, tensor in found.items():
        expected, shape, kind = _expected(name, owners), tensor.get_shape(), tensor.get_dtype()
        if expected is None:
            raise ValueError(f"{_WEIGHTS} holds {named([name])}, which the saved architecture does not have")
        if tuple(shape) != expected:
            raise ValueError(
                f"{name} of shape {tuple(shape)} must have shape {expected}, as the saved architecture says"
            )
        if kind not in _REAL:
            raise ValueError(f"{name} of type {kind} must hold real numbers: {', '.join(_REAL)}")
    if missing := list(islice((name for name in _names(owners) if name not in found), 3)):
        raise ValueError(f"{_WEIGHTS} lacks tensors of the saved architecture: {', '.join(missing)}, …")


def _expected(name: str, owners: Mapping[str, Component]) -> Shape | None:
    """Return the shape of a tensor; None when there is no such tensor."""
    outer, _, rest = name.partition(".")
    if outer != "blocks":
        return owners[name].shapes[name] if name in owners else None
    number, _, inner = rest.partition(".")
    part = owners.get(pattern := f"blocks.*.{inner}")
    is_number = number.isdecimal() and len(number) < 20 and str(int(number)) == number
    return part.shapes[pattern] if part and is_number and int(number) in part.layers else None


def _names(owners: Mapping[str, Component]) -> Iterator[str]:
    for name, part in owners.items():
        yield from (name.replace("*", str(layer)) for layer in (part.layers if part.per_layer else (0,)))
