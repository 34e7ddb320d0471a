"""Folders of runs: over, and interrupted with two checkpoints."""

import json
import random
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch

from slimlm.cli.main import _read
from slimlm.cli.run_folder import load_heldout, load_run_tokenizer
from slimlm.cli.run_text import format_summary
from slimlm.core.architecture import Architecture
from slimlm.data.synthetic import known_entropy
from slimlm.engines.execute import is_over
from slimlm.model.pretrained import from_pretrained
from slimlm.runs.recipe import TrainRecipe
from slimlm.runs.record import read_run
from slimlm.study.outcome import metrics_of, outcome_of
from slimlm.train import train
from slimlm.train.checkpoint import _record_digest, checkpoint_folders, file_digest, latest_checkpoint
from slimlm.utils.files import read_bytes, read_json
from tests.cli.runs import TEXT, options, some_text, trained
from tests.fuzz.driver import Kind
from tests.fuzz.judge import disk_errors_as_sentences

_ARCHITECTURE = Architecture(d_model=16, d_ff=24, n_layers=1, n_heads=2, vocab_size=64, max_seq_length=16, dropout=0.0)
_RECIPE = TrainRecipe(tokens=2048, batch_tokens=256, log_every=2, checkpoint_every=512, evaluate_every=1024, keep=3)


def make(home: Path) -> None:
    torch.set_num_threads(1)
    (home.parent / "source").mkdir()
    data = [
        "--data",
        str(some_text(home.parent / "source")),
        *options("--tokens 4k --batch-tokens 512 --checkpoint-every 1k"),
    ]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        _train(home / "symbols")
        trained([*TEXT, *data], home / "text")
    shutil.copytree(home / "symbols", home / "interrupted")
    for name in ("result.json", "slimlm.json", "model.safetensors"):
        (home / "interrupted" / name).unlink()
    shutil.copytree(home / "interrupted", home / "interrupted-early")
    shutil.rmtree(checkpoint_folders(home / "interrupted-early")[0])


def _train(folder: Path) -> None:
    tokens = known_entropy(64, train_tokens=5000, heldout_tokens=500)
    train(_ARCHITECTURE, _RECIPE, tokens, folder, resume=True, device="cpu")


def mend(folder: Path, draw: random.Random) -> None:
    """Let the states of checkpoints have the digests of their files as they are."""
    for path in checkpoint_folders(folder) if folder.is_dir() else ():
        try:
            _mend_state(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue


def _mend_state(path: Path) -> None:
    state = read_json(read_bytes(path / "state.json", "state", 10**6), "state", 10**6)
    digests = state.pop("sha256")
    for name in ("model.safetensors", "optimizer.safetensors"):
        file = path / name
        if file.is_file() and file.stat().st_size < 10**7:
            digests[name] = file_digest(file)
    digests["state.json"] = _record_digest(state)
    (path / "state.json").write_text(json.dumps(state | {"sha256": digests}))


def use(folder: Path, draw: random.Random) -> None:
    """Do what commands do with a run: read it, evaluate it, write text, export it, and go on with it."""
    is_over(folder)
    way = draw.randrange(6)
    if way == 0:
        record = read_run(folder)
        outcome_of(folder.name, record)
        metrics_of(record)
    elif way == 1:
        latest_checkpoint(folder)
    elif way == 2:
        from_pretrained(folder / draw.choice(("best", ".")))
        load_run_tokenizer(folder)
        load_heldout(folder, None)
    else:
        command(folder, draw)


def command(folder: Path, draw: random.Random) -> None:
    """Run one of the commands that take a run; its error is raised as it is."""
    out = folder.parent / "exported"
    shutil.rmtree(out, ignore_errors=True)
    line = draw.choice(("sample", "eval", "export", "resume", "resume"))
    arguments = {
        "sample": ["sample", str(folder), "the ", "--tokens", "3", "--device", "cpu"],
        "eval": ["eval", str(folder), "--device", "cpu"],
        "export": ["export", str(folder), str(out)],
    }
    if draw.random() < 0.3:
        for name in ("sample", "eval"):
            arguments[name].append("--best")
    with disk_errors_as_sentences():
        if line == "resume":
            _train(folder)
            format_summary(read_run(folder))
            return
        parsed = _read(arguments[line])
        with redirect_stdout(StringIO()):
            parsed.run(parsed)


CHECKPOINTS = Kind("checkpoint", make, use, mend, "runs and checkpoints")
