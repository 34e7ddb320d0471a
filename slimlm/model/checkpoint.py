"""Checkpoints of untrained models in folders that Hugging Face transformers loads."""

from pathlib import Path
from typing import Literal

import torch

from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.interop.hf.export_config import native_class
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import export_pretrained, save_pretrained

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Weight types of a checkpoint, by name."""


def write_checkpoint(
    source: Design | Architecture,
    folder: Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
) -> Path:
    """Initialise a model from a seed, write it for transformers with a README, and return the folder.

    Raises ValueError, before any weight is initialised, when no class of transformers is exactly the architecture.
    """
    native = native_class(source.architecture if isinstance(source, Design) else source)
    export_pretrained(_initialised(source, dtype, seed), folder)
    (folder / "README.md").write_text(_readme(native.name, seed), encoding="utf-8")
    return folder


def write_slimlm_checkpoint(
    source: Design | Architecture,
    folder: Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
) -> Path:
    """Initialise a model from a seed, write it in slimlm's own format, and return the folder."""
    return save_pretrained(_initialised(source, dtype, seed), folder)


def _initialised(source: Design | Architecture, dtype: str, seed: int) -> LanguageModel:
    model = LanguageModel(source, device="cpu", dtype=DTYPES[dtype], initialise=False)
    model.reset_parameters(seed=seed)
    return model


def _readme(class_name: str, seed: int) -> str:
    return (
        f"Untrained {class_name}, initialised by slimlm with seed {seed}, without a tokenizer. "
        '`AutoModelForCausalLM.from_pretrained("path of this folder")` loads it.\n'
    )
