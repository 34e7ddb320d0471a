"""Text and models of the commands that train: their options, defaults, and the prepared corpus."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.cli.progress import is_first_process, shown_progress
from slimlm.cli.recipe import add_recipe, recipe_of, recipe_option
from slimlm.cli.request import add_request
from slimlm.cli.sources import names_a_model, subject_of
from slimlm.core.named_model import Subject
from slimlm.runs.recipe import TrainRecipe
from slimlm.utils.files import reason, replacing
from slimlm.utils.formatting import parse_number, parse_size
from slimlm.utils.optional import NUMPY, SAFETENSORS, TORCH, need
from slimlm.utils.validation import check_option

if TYPE_CHECKING:
    from slimlm.data.token_data import TokenData

DEVICE_HELP = "cpu, cuda or mps (default: the fastest available)"

_OF_TEXT = ("field", "tokenizer", "out_of_domain", "heldout_share")
"""Options that say how text is read."""

TOKENIZER = "tokenizer.json"
DATA = "data"
"""Folder of the tokenised text within that of a run."""


@dataclass(frozen=True)
class _BuiltIn:
    """A source that needs no file, with a request that is trained on it in about a minute on two cores."""

    what: str
    total: str
    vocab_size: int
    sequence_length: int
    recipe: Mapping[str, int]


BUILT_IN = {
    "prose": _BuiltIn("the built-in prose", "500k", 1024, 128, {"tokens": 480_000, "batch_tokens": 1024}),
    "known-entropy": _BuiltIn(
        "a generated source of known entropy",
        "100k",
        512,
        64,
        {"tokens": 1_000_000, "batch_tokens": 1024},
    ),
}


_SHAPE = {"embedding_ratio": "auto", "n_heads": "4"}
"""Where no total is given: several layers, as published models have; a share of 0.35 would leave a single one."""


@dataclass(frozen=True)
class TrainingRequest:
    """What a command trains, how, and on which tokens."""

    subject: Subject
    recipe: TrainRecipe
    data: "TokenData"
    tokenizer: Path | None
    """The tokenizer's file; None for a source of symbols."""

    @property
    def source(self) -> Any:
        """The design or the architecture to train."""
        from slimlm.core.design import Design

        return self.subject if isinstance(self.subject, Design) else self.subject.architecture


def add_training(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the options of a model, its data, its recipe and the folder `out` to write."""
    add_request(parser, names_too=True, optional=True)
    add_data(parser)
    add_recipe(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help=out)
    parser.add_argument("--device", help=DEVICE_HELP)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which text is trained on, and how it is read."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data", metavar="PATH", nargs="+", action="extend", help="text files or folders (UTF-8 .txt and .md, .jsonl, "
        ".xz, .gz, .parquet), or the folder of a corpus that was tokenised before; default: the built-in source"
    )  # fmt: skip
    group.add_argument("--source", metavar="|".join(BUILT_IN), help="built-in source without --data (default prose)")
    group.add_argument("--field", metavar="NAME", help="field of the text in .jsonl and .parquet (default text)")
    group.add_argument("--tokenizer", metavar="FILE", type=Path, help="tokenizer.json to use instead of a new one")
    group.add_argument(
        "--out-of-domain", metavar="NAME", action="append", help="hold out documents with this in their name, entirely"
    )
    group.add_argument("--heldout-share", metavar="N", help="share of each document that is held out (default 0.025)")


def training_request(options: argparse.Namespace) -> TrainingRequest:
    """Return what the options ask for; text is tokenised into the folder of the output, once.

    Everything that does not need the text is checked before it is read.

    Raises ValueError, in one sentence, for options, files and text that cannot be used.
    """
    need("training", TORCH, NUMPY, SAFETENSORS)
    defaults = _fill_defaults(options)
    subject, recipe = subject_of(options), recipe_of(options, defaults)
    recipe.sequences(recipe.length_in(subject.architecture))
    data = _data(options, subject.architecture.vocab_size)
    tokenizer = _corpus_folder(options) / TOKENIZER
    return TrainingRequest(subject, recipe, data, tokenizer if tokenizer.is_file() and data.unit == "byte" else None)


def keep_tokenizer(request: TrainingRequest, out: Path) -> None:
    """Copy the tokenizer into the folder of a run, where `sample` and `eval` find it."""
    if request.tokenizer is None or not is_first_process():
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / TOKENIZER, follow=False) as part:
            part.write_bytes(request.tokenizer.read_bytes())
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {reason(error)}; another folder would work") from error


def _fill_defaults(options: argparse.Namespace) -> dict[str, Any]:
    """Set what the data determines and was not given: the total, the vocabulary and lengths; return recipe defaults."""
    if options.data:
        if options.source:
            raise ValueError("--source does not apply with --data: one of the two would work")
        options.total_params = options.total_params or "10M"
        if (
            options.vocab_size is None
            and not names_a_model(options.total_params)
            and (size := _given_vocabulary(options))
        ):
            options.vocab_size = str(size)
        return {}
    check_text_options(options)
    options.source = options.source or "prose"
    check_option("source", options.source, BUILT_IN)
    built_in = BUILT_IN[options.source]
    if not options.total_params:
        options.total_params = built_in.total
        for name, value in _SHAPE.items():
            if getattr(options, name) is None:
                setattr(options, name, value)
    defaults: dict[str, Any] = dict(built_in.recipe)
    length = recipe_option(options, "sequence_length")
    if length is None and options.max_seq_length is None:
        defaults["sequence_length"], length = built_in.sequence_length, str(built_in.sequence_length)
    if not names_a_model(options.total_params):
        options.vocab_size = options.vocab_size or str(built_in.vocab_size)
        options.max_seq_length = options.max_seq_length or length
    return defaults


def check_text_options(options: argparse.Namespace) -> None:
    """Raise ValueError for options that say how text is read where none is given."""
    for name in _OF_TEXT:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} applies to text of your own: --data would work")


def _given_vocabulary(options: argparse.Namespace) -> int | None:
    """Return the vocabulary size of a tokenised corpus or of a tokenizer; None when neither is given."""
    if is_corpus(options.data):
        from slimlm.data.manifest import read_manifest

        return read_manifest(Path(options.data[0])).vocab_size
    if options.tokenizer:
        from slimlm.data.tokenizer import load_tokenizer

        return load_tokenizer(options.tokenizer).vocab_size
    return None


def is_corpus(paths: list[str] | None) -> bool:
    """Whether the paths are the one folder of a tokenised corpus."""
    return bool(paths) and len(paths or ()) == 1 and Path((paths or [""])[0], "manifest.json").is_file()


def _corpus_folder(options: argparse.Namespace) -> Path:
    return Path(options.data[0]) if is_corpus(options.data) else Path(options.out) / DATA


def _data(options: argparse.Namespace, vocab_size: int) -> "TokenData":
    folder = _corpus_folder(options)
    if not options.data:
        return built_in_data(options.source, min(vocab_size, _largest(options)), folder)
    return text_data(options, vocab_size, folder)


def text_data(options: argparse.Namespace, vocab_size: int, folder: Path) -> "TokenData":
    """Return the text of --data in tokens of a vocabulary size, from a folder where it is tokenised once.

    Raises ValueError, in one sentence, for text that cannot be used.
    """
    from slimlm.data.corpus import open_corpus, prepare_corpus
    from slimlm.data.tokenizer import load_tokenizer

    if is_corpus(options.data):
        for name in _OF_TEXT:
            if getattr(options, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} does not apply to {folder}, which is tokenised already")
        return open_corpus(folder)
    return prepare_corpus(
        options.data,
        folder,
        vocab_size=vocab_size,
        tokenizer=load_tokenizer(options.tokenizer) if options.tokenizer else None,
        field=options.field or "text",
        heldout_share=parse_number(options.heldout_share or "0.025"),
        out_of_domain=options.out_of_domain or (),
        progress=shown_progress(),
    )


def _largest(options: argparse.Namespace) -> int:
    """Return the largest vocabulary of a built-in source: a named model may have more ids than the prose supports."""
    named = names_a_model(options.total_params)
    return BUILT_IN[options.source].vocab_size if named else parse_size(options.vocab_size)


def built_in_data(source: str, vocab_size: int, folder: Path) -> "TokenData":
    """Return a built-in source at a vocabulary size; the tokens of prose are in a folder."""
    if source == "known-entropy":
        from slimlm.data.synthetic import known_entropy

        return known_entropy(vocab_size)
    from slimlm.data.prose import builtin_prose

    return replace(builtin_prose(vocab_size, folder, progress=shown_progress()), name="built-in prose")
