"""The command `slimlm export`: a model as files in a new folder."""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from slimlm.cli.export_run import Writer, holds_model, trained_writer
from slimlm.cli.request import add_request
from slimlm.cli.sources import subject_of
from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.interop.hf import no_class_sentence
from slimlm.utils.files import reason
from slimlm.utils.optional import SAFETENSORS, TORCH, need
from slimlm.utils.validation import check_option


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_request(parser, names_too=True, runs_too=True)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder to write; it must be new or empty")
    kinds = "; ".join(f"{name}: {what}" for name, (what, _) in _FORMATS.items())
    parser.add_argument(
        "--format", metavar="FORMAT", action="append", dest="formats", help=f"{kinds}; may be repeated (default hf)"
    )
    parser.add_argument("--dtype", default="float32", help="type of the weights: float32 (default) or bfloat16")
    parser.add_argument("--seed", type=int, default=0, help="seed of the untrained weights (default 0)")
    parser.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> None:
    """Write the files of every format; the folder appears when all of them are complete.

    Raises ValueError, in one sentence, for invalid options, and for a folder that holds files or cannot be written.
    """
    formats = options.formats or ["hf"]
    for name in formats:
        check_option("format", name, _FORMATS)
    check_option("dtype", options.dtype, ("float32", "bfloat16"))
    folder: Path = options.folder
    _check_folder(folder)
    write = trained_writer(options) if holds_model(options.total_params) else _untrained_writer(options)
    try:
        with TemporaryDirectory(prefix=f".{folder.name[:100]}.", dir=folder.absolute().parent) as place:
            part = Path(place, "part")
            part.mkdir()
            for name in dict.fromkeys(formats):
                write(name, part)
            names = sorted(file.name for file in part.iterdir())
            part.replace(folder)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {reason(error)}") from error
    print("\n".join(str(folder / name) for name in names))


def _untrained_writer(options: argparse.Namespace) -> Writer:
    subject = subject_of(options)
    return lambda name, folder: _FORMATS[name][1](subject, folder, options)


def _check_folder(folder: Path) -> None:
    if not folder.absolute().parent.is_dir():
        raise ValueError(f"{folder} cannot be written: there is no folder {folder.parent}")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: the name of a new or empty folder would work")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds files, which export does not replace: a new or empty folder would work")


def _write_hf(subject: Subject, folder: Path, options: argparse.Namespace) -> None:
    _check_class(subject)
    need("export", TORCH, SAFETENSORS)
    from slimlm.model.checkpoint import write_checkpoint

    write_checkpoint(_source(subject), folder, dtype=options.dtype, seed=options.seed)


def _write_config(subject: Subject, folder: Path, _: argparse.Namespace) -> None:
    _check_class(subject)
    from slimlm.export.checkpoints import config_json

    (folder / "config.json").write_text(config_json(subject.architecture), encoding="utf-8")


def _write_slimlm(subject: Subject, folder: Path, options: argparse.Namespace) -> None:
    need("export", TORCH, SAFETENSORS)
    from slimlm.model.checkpoint import write_slimlm_checkpoint

    write_slimlm_checkpoint(_source(subject), folder, dtype=options.dtype, seed=options.seed)


def _write_report(subject: Subject, folder: Path, _: argparse.Namespace) -> None:
    from slimlm.export.report_markdown import markdown

    (folder / "report.md").write_text(markdown(subject), encoding="utf-8")
    if isinstance(subject, Design):
        from slimlm.export.report_html import html_report

        (folder / "report.html").write_text(html_report(subject), encoding="utf-8")


def _write_card(subject: Subject, folder: Path, _: argparse.Namespace) -> None:
    if isinstance(subject, NamedModel):
        raise ValueError(f"{subject.name} has no card, which shows a request: --format report would work")
    from slimlm.export.card import design_card

    (folder / "card.png").write_bytes(design_card(subject))


def _check_class(subject: Subject) -> None:
    if sentence := no_class_sentence(subject.architecture):
        raise ValueError(f"{sentence.removesuffix('.')}; --format slimlm would work too")


def _source(subject: Subject) -> Design | Architecture:
    return subject if isinstance(subject, Design) else subject.architecture


_FORMATS: dict[str, tuple[str, Callable[[Subject, Path, argparse.Namespace], None]]] = {
    "hf": ("config.json and untrained weights for Hugging Face transformers", _write_hf),
    "config": ("config.json alone", _write_config),
    "slimlm": ("slimlm's own format, for every architecture", _write_slimlm),
    "report": ("report.md, and report.html of a design", _write_report),
    "card": ("card.png of a design", _write_card),
}
