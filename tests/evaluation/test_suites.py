"""Suites: which parts a name stands for, what they report, and one sentence for what is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.data.token_data import TokenData
from slimlm.evaluation.suites import CLOZE_TASKS, SUITES, SuiteData, evaluate_suites, suite_evaluations, suite_hooks
from tests.evaluation.test_cloze import CHOICES, OPEN
from tests.evaluation.test_pairs import PARADIGMS, lines
from tests.evaluation.toys import SENTENCES, model_of, tokenizer, write_lines


def token_data() -> TokenData:
    ids = np.array(tokenizer().encode(" ".join(SENTENCES)), dtype=np.uint16)
    splits = {"validation": ids[:60], "out_of_domain": ids[60:150]}
    return TokenData("sentences", tokenizer().vocab_size, ids, splits, tokenizer().lengths, "digest")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pairs in PARADIGMS.items():
        write_lines(tmp_path / "blimp" / f"{name}.jsonl", lines(pairs))
    write_lines(tmp_path / "cloze" / "lambada_openai.jsonl", OPEN)
    write_lines(tmp_path / "copa.jsonl", CHOICES)
    return tmp_path


def test_smallbench_is_every_part_that_is_given(folder: Path) -> None:
    data = SuiteData(tokenizer(), folder, token_data(), length=16)
    assert [*suite_evaluations(["smallbench"], data)] == ["bpb", "blimp", "lambada", "copa"]
    assert [*suite_evaluations(["smallbench"], SuiteData(tokenizer(), folder / "cloze"))] == ["lambada"]


def test_suites_report_figures_with_noise_and_chance(folder: Path) -> None:
    data = SuiteData(tokenizer(), folder, token_data(), length=1000)
    found = evaluate_suites(model_of(), ["bpb", "blimp", "copa", "lambada"], data)
    assert [(name, score.items, score.chance) for name, score in found.items()] == [
        ("bpb.validation.bits_per_byte", 59, None),
        ("bpb.out_of_domain.bits_per_byte", 89, None),
        ("blimp.accuracy", 50, 0.5),
        ("copa.bits_per_byte", 40, None),
        ("copa.accuracy", 40, 0.375),
        ("lambada.bits_per_byte", 5, None),
        ("lambada.accuracy", 5, 0.0),
    ]


def test_hooks_report_numbers_and_a_share_is_a_sample(folder: Path) -> None:
    data = SuiteData(tokenizer(), folder, token_data(), length=16, share=0.1)
    model = model_of()
    hooks = suite_hooks(["blimp", "bpb"], data)
    assert [*hooks["bpb"](model)] == ["validation.bits_per_byte", "out_of_domain.bits_per_byte"]
    found = hooks["blimp"](model)
    assert [*found] == ["accuracy", "accuracy_stderr"]
    assert all(type(value) is float for value in found.values())
    assert evaluate_suites(model, ["blimp"], data)["blimp.accuracy"].items == 5


def test_symbols_are_not_called_bytes() -> None:
    data = replace(token_data(), unit="symbol")
    (first, _) = evaluate_suites(model_of(), ["bpb"], SuiteData(heldout=data, length=16)).items()
    assert first[0] == "bpb.validation.bits_per_symbol"
    assert str(first[1]).endswith("bits per symbol (59 items)")


def test_every_task_of_the_preset_has_a_file_of_its_own() -> None:
    assert len({file for file, _ in CLOZE_TASKS.values()}) == len(CLOZE_TASKS) == len(SUITES) - 3


# Bad input


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("glue", {}, "^suite='glue' is not allowed: it must be one of 'bpb', 'blimp', 'lambada'"),
        ("bpb", {"heldout": None}, "^suite 'bpb' needs a held-out split: the prepared data of the run would work"),
        ("blimp", {"tokenizer": None}, "^suite 'blimp' needs the tokenizer that the model was trained with: its file"),
        ("piqa", {}, r"^suite 'piqa' needs cloze/piqa.jsonl, which folder='.*' does not hold"),
        ("piqa", {"folder": None}, r"^suite 'piqa' needs a folder of test sets, with cloze/piqa.jsonl in it"),
        ("blimp", {"folder": Path("none")}, r"^folder='none' is no folder: one with blimp/\*.jsonl in it would work"),
        ("blimp", {"share": 2}, r"^share=2 is not allowed"),
        (
            "smallbench",
            {"folder": Path("none"), "heldout": None},
            r"^suite 'smallbench' has no part here: a folder with blimp/\*.jsonl or cloze/lambada_openai.jsonl would",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(name: str, changes: dict[str, Any], message: str, folder: Path) -> None:
    given: dict[str, Any] = {"tokenizer": tokenizer(), "folder": folder, "heldout": token_data()} | changes
    with pytest.raises(ValueError, match=message):
        suite_evaluations([name], SuiteData(**given))
