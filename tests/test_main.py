"""The command line: what it prints, and how it ends."""

import json
import subprocess
import sys

import pytest

from slimlm.__main__ import main
from slimlm.config import ModelConfig
from slimlm.record import request_from_record
from slimlm.solver import solve
from slimlm.table import format_param_table


def test_design_prints_the_table_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "design 10M --vocab-size 16k --embedding-ratio 35% --glu-expansion 2.66 --heads 8"
    assert main(arguments.split()) == 0
    assert capsys.readouterr().out == format_param_table(solve(ModelConfig())) + "\n"


def test_every_option_reaches_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--heads 4 --layers 6 --max-seq-length 1k --multiple-of 8 --untied --json --glu-expansion 8/3"
    assert main(["design", "20M", *options.split()]) == 0
    asked = ModelConfig(
        total_params=20_000_000,
        n_heads=4,
        n_layers=6,
        max_seq_length=1000,
        multiple_of=8,
        tied_lm_head=False,
        glu_expansion=2.666667,
    )
    assert request_from_record(json.loads(capsys.readouterr().out)) == asked


def test_json_holds_request_architecture_and_account(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "10M", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["architecture"]["d_model"] == 216
    assert sum(part["params"] for part in record["account"]["components"]) == record["account"]["total_params"]
    assert [knob["name"] for knob in record["asked_got"]] == ["total_params", "embedding_ratio", "glu_expansion"]


def test_probe_reports_the_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("  yes  ") == 4
    assert "ln vocab_size = 6.908" in printed


def test_probe_joins_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["probe"]
    assert report["passed"]
    assert report["counted"] == report["accounted"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("design lots", "slimlm: 'lots' is not a size; write a number such as 10M"),
        ("design 10M --embedding-ratio 1.5", "slimlm: embedding_ratio=1.5 is not allowed: it must be a number between"),
        ("design 10M --glu-expansion wide", "slimlm: 'wide' is not a number"),
        ("design 1M --vocab-size 262144", "slimlm: total_params=1,000,000 clashes with vocab_size=262144, n_heads=8"),
    ],
)
def test_a_bad_or_impossible_request_is_one_sentence_and_exit_code_2(
    arguments: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(sentence)
    assert printed.err.count("\n") == 1


def test_the_module_runs_and_a_closed_pipe_is_no_traceback() -> None:
    command = [sys.executable, "-m", "slimlm", "design", "10M", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
