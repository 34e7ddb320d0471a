"""Export of a trained model, with its tokenizer."""

import argparse
from collections.abc import Callable
from pathlib import Path

from slimlm.cli.run_folder import load_run_tokenizer
from slimlm.serialization.flags import OPTIONS
from slimlm.utils.optional import SAFETENSORS, TORCH, need

_TRAINED = "slimlm.json"

Writer = Callable[[str, Path], None]
"""Called with the name of a format and a folder."""


def holds_model(source: str) -> bool:
    """Whether a source is the folder of a run that is over, or of another model with its weights."""
    return Path(source, _TRAINED).is_file()


def trained_writer(options: argparse.Namespace) -> Writer:
    """Return what writes the model of a folder in a format: hf, with the tokenizer of the run, or slimlm.

    Raises ValueError for options of a request and for other formats, before anything is written.
    """
    source = Path(options.total_params)
    given = [OPTIONS[name].flag for name in OPTIONS if getattr(options, name) is not None]
    given += ["--family"] if options.family else []
    if given:
        raise ValueError(f"{given[0]} does not apply to {source}, whose model is trained: a total would work")
    for name in options.formats or ["hf"]:
        if name not in ("hf", "slimlm"):
            raise ValueError(f"--format {name} does not apply to a trained model: hf or slimlm would work")
    need("export", TORCH, SAFETENSORS)
    import torch

    from slimlm.model.checkpoint import DTYPES
    from slimlm.model.pretrained import export_pretrained, from_pretrained, save_pretrained

    model = from_pretrained(source, torch.device("cpu"), DTYPES[options.dtype])
    tokenizer = load_run_tokenizer(source)

    def write(name: str, folder: Path) -> None:
        if name == "slimlm":
            save_pretrained(model, folder)
            if tokenizer:
                tokenizer.save(folder / "tokenizer.json")
            return
        export_pretrained(model, folder)
        if tokenizer:
            from slimlm.data.hf_tokenizer import export_tokenizer

            export_tokenizer(tokenizer, folder, max_seq_length=model.architecture.max_seq_length)

    return write
