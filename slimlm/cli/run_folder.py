"""The folder of a run as commands take it: its weights, its tokenizer, and its tokenised text."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimlm.cli.training_data import DATA, TOKENIZER
from slimlm.runs.record import BEST, RESULT, RUN, read_record
from slimlm.utils.optional import SAFETENSORS, TORCH, need
from slimlm.utils.text import shown

if TYPE_CHECKING:
    from slimlm.data.token_data import TokenData
    from slimlm.data.tokenizer import Tokenizer
    from slimlm.model.language_model import LanguageModel


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the argument of a run's folder, and which weights of it to use, where."""
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--best", action="store_true", help="use the weights of the best evaluation, not the last ones")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest available)")


def load_model(options: argparse.Namespace, what: str) -> "LanguageModel":
    """Return the trained model of a run, in evaluation mode.

    Raises ValueError, in one sentence, for a folder without weights or a device that is not there.
    """
    need(what, TORCH, SAFETENSORS)
    from slimlm.model.device import pick_device
    from slimlm.model.pretrained import from_pretrained

    folder: Path = options.folder
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: that of a run would work")
    if (folder / RUN).exists() and not options.best and not (folder / "slimlm.json").exists():
        result = read_record(folder / RESULT) or {}
        state = "diverged, and has no weights" if result.get("status") == "diverged" else "is not over"
        raise ValueError(f"the run in {folder} {state}; --best would use the weights of its best evaluation so far")
    return from_pretrained(folder / BEST if options.best else folder, pick_device(options.device))


def load_run_tokenizer(folder: Path) -> "Tokenizer | None":
    """Return the tokenizer that a run was trained with; None where it has none: its source has symbols, no text."""
    if not (folder / TOKENIZER).exists():
        return None
    from slimlm.data.tokenizer import load_tokenizer

    return load_tokenizer(folder / TOKENIZER)


def run_record(folder: Path) -> dict[str, Any]:
    """Return the content of run.json; empty where the folder holds a model alone.

    Raises ValueError for a record that slimlm does not write.
    """
    found = read_record(folder / RUN) or {}
    for part in ("data", "plan"):
        if not isinstance(found.get(part, {}), dict):
            raise _damaged(folder, part, found[part], "an object")
    return found


def _damaged(folder: Path, name: str, value: object, kind: str) -> ValueError:
    wrong = f"{folder / RUN} is damaged: {name}={shown(value)}"
    return ValueError(f"{wrong}; it must be {kind}, as in one that slimlm wrote")


def _vocab_size(folder: Path, data: Mapping[str, Any]) -> int:
    size = data.get("vocab_size")
    if type(size) is not int:
        raise _damaged(folder, "vocab_size", size, "a whole number")
    return size


def load_heldout(folder: Path, corpus: Path | None) -> "TokenData | None":
    """Return the tokens that a run was trained on, from a corpus, its own folder or its generator; None without any.

    Raises ValueError for a corpus that is not the run's.
    """
    record = run_record(folder).get("data", {})
    place = corpus or folder / DATA
    if corpus is None and record.get("unit") == "symbol":
        from slimlm.data.synthetic import known_entropy

        found = known_entropy(_vocab_size(folder, record))
    elif corpus is not None or place.is_dir():
        from slimlm.data.corpus import open_corpus

        found = open_corpus(place)
    else:
        return None
    if record and found.digest != record.get("digest"):
        raise ValueError(f"{place} is not the text that {folder} was trained on: the corpus of the run would work")
    return found
