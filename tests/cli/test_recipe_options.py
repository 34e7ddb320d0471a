"""Options of a recipe: every field has one, and its value reaches the recipe."""

import argparse
from dataclasses import fields
from typing import Any

import pytest

from slimlm.cli.recipe import add_recipe, recipe_flag, recipe_of
from slimlm.cli.request import add_request
from slimlm.runs.recipe import TrainRecipe

VALUES: dict[str, tuple[str, Any]] = {
    "tokens": ("20M", 20_000_000),
    "sequence_length": ("1k", 1000),
    "batch_tokens": ("16k", 16_000),
    "learning_rate": ("1.23456e-3", 1.23456e-3),
    "schedule": ("cosine", "cosine"),
    "warmup_share": ("10 %", 0.1),
    "decay_share": ("1/5", 0.2),
    "weight_decay": ("0", 0.0),
    "beta1": ("0.8", 0.8),
    "beta2": ("0.99", 0.99),
    "eps": ("1e-12", 1e-12),
    "clip": ("0.5", 0.5),
    "micro_batch": ("4", 4),
    "precision": ("bfloat16", "bfloat16"),
    "optimizer": ("adamw", "adamw"),
    "parametrisation": ("completep", "completep"),
    "embedding_std": ("0.05", 0.05),
    "output_std": ("auto", "auto"),
    "dropout": ("0", 0.0),
    "seed": ("7", 7),
    "compile": ("off", "off"),
    "cuda_graph": ("off", "off"),
    "deterministic": ("", True),
    "log_every": ("5", 5),
    "evaluate_every": ("1M", 1_000_000),
    "evaluate_tokens": ("2k", 2000),
    "checkpoint_every": ("3M", 3_000_000),
    "keep": ("3", 3),
}


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_request(parser)  # the options of both must not clash
    add_recipe(parser)
    return parser.parse_args(["10M", *arguments])


def test_every_field_is_an_option() -> None:
    assert VALUES.keys() == {field.name for field in fields(TrainRecipe)}
    arguments = [word for name, (text, _) in VALUES.items() for word in [recipe_flag(name), *filter(None, [text])]]
    expected: dict[str, Any] = {name: value for name, (_, value) in VALUES.items()}
    assert recipe_of(parsed(arguments)) == TrainRecipe(**expected)


def test_defaults_are_replaced_by_what_is_given() -> None:
    found = recipe_of(parsed(["--tokens", "2M", "--dropout", "0.3"]), {"tokens": 1000, "batch_tokens": 512})
    assert found == TrainRecipe(tokens=2_000_000, batch_tokens=512)


def test_help_has_the_documentation_and_default_of_each_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        parsed(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--batch-tokens N Tokens of one optimizer step, over all processes" in shown
    assert "(default 16384)" in shown and "(default 20M)" in shown
    assert "--embedding-std auto|width|N" in shown and "--schedule wsd|cosine" in shown
    assert "--train-dropout N Dropout probability everywhere" in shown
