"""The option --probe: what it prints, what it refuses, and how Ctrl-C ends it."""

import json
import re
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from slimlm.cli.main import main


def test_probe_reports_the_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("  yes  ") == 4
    assert "ln vocab_size = 6.908" in printed


def test_probe_takes_a_dtype_and_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe", "--dtype", "bfloat16", "--device", "cpu"]) == 0
    assert "logits (2, 64, 1000), bfloat16 on cpu; weights loaded whole" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--dtype", "float8"], r"dtype='float8' must be float32 or bfloat16"),
        (["--device", "abacus"], r"device='abacus' is not on this machine; it has cpu"),
    ],
)
def test_probe_refuses_what_there_is_not(option: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe", *option]) == 2
    assert re.match(rf"slimlm: {message}", capsys.readouterr().err)


def test_a_published_model_is_probed_by_name_within_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    probe = ["inspect", "stories15M", "--probe", "--max-memory", "125MB"]
    assert main(probe) == 0
    printed = capsys.readouterr().out
    assert "  yes  every component has the parameters of the account" in printed
    assert "NO " not in printed
    assert "weights block by block" in printed
    assert main([*probe, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["probe"]["strategy"], record["probe"]["passed"]) == ("block by block", True)
    assert sum(record["probe"]["counted"].values()) == 15_191_712


def test_a_limit_is_a_size_and_layers_that_differ_are_not_probed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["inspect", "gpt2", "--probe", "--max-memory", "much"]) == 2
    said = "slimlm: 'much' is not a memory size; write one such as 4GB, 800MB or 64000000\n"
    assert capsys.readouterr().err == said
    assert main(["inspect", "gpt2", "--probe", "--max-memory", "1MB"]) == 2
    assert re.match(r"slimlm: even slice by slice, this model takes about .* would fit\n$", capsys.readouterr().err)
    config = tmp_path / "jamba" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"model_type": "jamba"}))
    assert main(["inspect", str(config), "--probe"]) == 2
    said = "slimlm: --probe does not apply to jamba, whose layers differ: it is counted, not built\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_within_a_block_ends_with_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()

    def interrupt(_: float, message: str) -> None:
        told.append(message)
        if "initialising block" in message:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("slimlm.cli.probe.shown_progress", lambda: interrupt)
    ticks = count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))  # so that every report is forwarded
    assert main(["inspect", "stories15M", "--probe", "--max-memory", "125MB"]) == 130
    assert capsys.readouterr() == ("", "\nslimlm: stopped\n")
    assert "block by block: initialising block 1 of 6" in told[-1]


def test_probe_joins_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "1M", "--vocab-size", "1k", "--probe", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["probe"]
    assert report["passed"]
    assert report["counted"] == report["accounted"]
