"""Tiny runs through the command line, for tests of the commands that train and of those that read runs."""

from pathlib import Path

import pytest

from slimlm.cli.main import main


def options(line: str) -> list[str]:
    """Return the arguments of a command line."""
    return line.split()


SYMBOLS = options("20k --source known-entropy --vocab-size 64 --heads 2 --max-seq-length 16 --dropout 0")
"""A model of a generated source."""

RECIPE = options("--tokens 8k --batch-tokens 512 --learning-rate 1e-2 --log-every 4 --evaluate-every 8k")

TEXT = options("60k --vocab-size 300 --family llama --heads 2 --max-seq-length 32")
"""A model of text that transformers has a class for."""


def trained(arguments: list[str], out: Path) -> Path:
    """Train into a folder."""
    assert main(["train", *arguments, "--out", str(out)]) == 0
    return out


def some_text(folder: Path) -> Path:
    """Write a text of some 20,000 bytes."""
    file = folder / "text.txt"
    words = options("the whale swam under the old ship and the sea rose over us while a man sang of home")
    lines = [" ".join(words[(row * 7 + place * 5) % len(words)] for place in range(9)) for row in range(400)]
    file.write_text("\n\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="package")
def symbol_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a source of known entropy."""
    return trained([*SYMBOLS, *RECIPE], tmp_path_factory.mktemp("symbols") / "run")


@pytest.fixture(scope="package")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on text."""
    folder = tmp_path_factory.mktemp("text")
    data = ["--data", str(some_text(folder)), "--tokens", "4k", "--batch-tokens", "512"]
    return trained([*TEXT, *data], folder / "run")
