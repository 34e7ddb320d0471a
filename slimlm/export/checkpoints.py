"""Files for Hugging Face transformers: config.json, and a checkpoint as a .zip file."""

import json
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile

from slimlm.core.architecture import Architecture
from slimlm.core.named_model import Subject
from slimlm.interop.hf import to_hf_config
from slimlm.utils.formatting import format_bytes
from slimlm.utils.optional import SAFETENSORS, TORCH, need

LARGEST_BYTES = 600_000_000
"""Largest checkpoint that a page builds: 150M parameters in float32."""

_ONE_AT_A_TIME = threading.Lock()  # the weights of one model at a time are in memory


def config_json(architecture: Architecture) -> str:
    """Return the config.json of an architecture.

    Raises ValueError when no class of transformers is exactly the architecture.
    """
    return json.dumps(to_hf_config(architecture), indent=2) + "\n"


def checkpoint_bytes(subject: Subject) -> int:
    """Return the size of the float32 weights of a model."""
    return 4 * subject.total_params


def too_large(subject: Subject, command: str) -> str:
    """Return why a page does not build the checkpoint, and the command that does; empty when a page builds it."""
    if checkpoint_bytes(subject) <= LARGEST_BYTES:
        return ""
    return (
        f"The checkpoint would have {format_bytes(checkpoint_bytes(subject))}, and a page builds at most "
        f"{format_bytes(LARGEST_BYTES)}; `{command}` writes it."
    )


def checkpoint_zip(subject: Subject) -> bytes:
    """Return a .zip file with config.json, generation_config.json, model.safetensors (float32) and a README.

    The files are written to disk, so that memory holds the weights once. Seed 0 gives the weights that the PyTorch
    check runs.

    Raises PackageError without torch, and ValueError when no class of transformers is exactly the architecture.
    """
    need("a checkpoint", TORCH, SAFETENSORS)
    from slimlm.model.checkpoint import write_checkpoint

    with _ONE_AT_A_TIME, TemporaryDirectory(prefix="slimlm-") as place:
        folder = write_checkpoint(subject.architecture, Path(place, "checkpoint"))
        return _zipped(folder, Path(place, "checkpoint.zip")).read_bytes()


def _zipped(folder: Path, target: Path) -> Path:
    """Move the files of a folder into a .zip file, uncompressed: random weights do not shrink."""
    with ZipFile(target, "w", ZIP_STORED) as packed:
        for file in sorted(folder.iterdir()):
            packed.write(file, file.name)
            file.unlink()
    return target
