"""`slimlm eval`, `sample`, `export` of a run and `lr-find`: what they print, and what they refuse."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from slimlm.cli.main import main
from slimlm.model.pretrained import from_pretrained
from slimlm.runs.record import read_run
from slimlm.train import sweep_learning_rates
from tests.cli.runs import RECIPE, SYMBOLS, options, trained


def figures(folder: Path) -> dict[str, float]:
    result = read_run(folder).result
    assert result is not None
    found: dict[str, float] = result["evaluation"]
    return found


def test_eval_gives_the_figure_of_the_run(symbol_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(symbol_run)]) == 0
    bits = figures(symbol_run)["validation.bits_per_symbol"]
    assert capsys.readouterr().out == f"bpb.validation.bits_per_symbol  {bits:.4f} bits per symbol (99,999 items)\n"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"plan": "long"}, 'plan="long"; it must be an object'),
        ({"data": ["prose"]}, 'data=["prose"]; it must be an object'),
        ({"data": {"unit": "symbol", "vocab_size": "64"}}, 'vocab_size="64"; it must be a whole number'),
    ],
)
def test_eval_refuses_a_record_that_no_run_writes(
    symbol_run: Path, tmp_path: Path, changes: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(symbol_run, tmp_path / "run"))
    (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | changes))
    assert main(["eval", str(run)]) == 2
    assert (
        capsys.readouterr().err == f"slimlm: {run / 'run.json'} is damaged: {sentence}, as in one that slimlm wrote\n"
    )


def test_eval_takes_windows_as_long_as_those_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = options("20k --source known-entropy --vocab-size 64 --heads 2 --max-seq-length 600 --positions rope")
    run = trained([*model, *options("--tokens 6k --batch-tokens 600 --learning-rate 0.05")], tmp_path / "run")
    capsys.readouterr()
    assert main(["eval", str(run), "--json"]) == 0
    (score,) = json.loads(capsys.readouterr().out).values()
    assert score["value"] == figures(run)["validation.bits_per_symbol"]


def test_eval_reads_test_sets_and_says_chance_and_noise(
    text_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blimp").mkdir()
    pair = json.dumps({"sentence_good": "the ship rose", "sentence_bad": "zzzzzz qqqqq"})
    (tmp_path / "blimp" / "agreement.jsonl").write_text(f"{pair}\n" * 4, encoding="utf-8")
    arguments = ["eval", str(text_run), "--suite", "bpb,blimp", "--data", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["blimp.accuracy"]["chance"] == 0.5
    own = figures(text_run)["validation.bits_per_byte"]
    assert found["bpb.validation.bits_per_byte"]["value"] == pytest.approx(own, rel=1e-12)
    assert main([*arguments[:2], "--suite", "smallbench", "--data", str(tmp_path)]) == 0
    table, note = capsys.readouterr().out.split("\n\n")
    assert re.search(r"^blimp.accuracy +100.0 % ± 0.0 % \(chance 50.0 %, 4 items\)$", table, re.MULTILINE)
    assert note.startswith("SmallBench is no published suite")


def test_sample_repeats_itself_with_its_seed_alone(text_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for more in ([], [], ["--seed", "1"], ["--best", "--temperature", "0"]):
        assert main(["sample", str(text_run), "the ship", "--tokens", "12", "--top-k", "20", *more]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] != found[2]
    assert all(text.startswith("the ship") for text in found)


def test_an_exported_run_reads_and_answers_alike_in_transformers(
    text_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from slimlm.data.tokenizer import load_tokenizer

    folder = tmp_path / "new"
    assert main(["export", str(text_run), str(folder)]) == 0
    assert str(folder / "tokenizer_config.json") in capsys.readouterr().out
    text = "a man sang of the sea"
    ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(text)["input_ids"]
    assert ids == load_tokenizer(text_run / "tokenizer.json").encode(text)
    theirs = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    with torch.inference_mode():
        expected = from_pretrained(text_run)(torch.tensor([ids]))[0]
        torch.testing.assert_close(theirs(torch.tensor([ids])).logits, expected, rtol=0, atol=1e-4)
    assert main(["export", str(text_run), "--format", "slimlm", str(tmp_path / "own")]) == 0
    assert (tmp_path / "own" / "model.safetensors").read_bytes() == (text_run / "model.safetensors").read_bytes()


def test_the_range_test_prints_an_interval_and_keeps_its_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = options("--steps 12 --seeds 2 --low 1e-4 --high 10")
    assert main(["lr-find", *SYMBOLS, *RECIPE, *search, "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "lr-range.json").read_text(encoding="utf-8"))
    answer, remark, picture = capsys.readouterr().out.splitlines()
    assert answer.startswith(f"Learning rates from {record['low']:.3g} to {record['high']:.3g} start well: ")
    assert remark == "The best one for a whole run is not known from this: --sweep finds it."
    assert [len(curve["losses"]) for curve in record["curves"]] == [12, 12] or record["has_edge"]
    assert picture == f"picture: {tmp_path / 'lr-range'}.svg and .png"
    assert (tmp_path / "lr-range.png").exists()


def test_the_sweep_prints_losses_and_a_bracketed_minimum_or_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlm.train.sweep_learning_rates", partial(sweep_learning_rates, extensions=1))
    command = ["lr-find", *SYMBOLS, *RECIPE, "--tokens", "2k", "--sweep", "--out", str(tmp_path)]
    assert main([*command, "--learning-rate", "1e-4"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Three to eight runs, each as follows:\nmodel ")
    assert re.search(r"\n +rate  held-out loss \(nats per token\)\n( +[\d.e-]+  \d\.\d{4}\n){4,}", printed)
    assert "\nNot bracketed: the best learning rate, " in printed
    assert (tmp_path / "lr-sweep.svg").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("eval nowhere", "nowhere is no folder: that of a run would work"),
        ("eval .", "folder='.' holds no slimlm.json; a folder that save_pretrained wrote would work"),
        ("eval RUN --suite glue", "suite='glue' is not allowed: it must be one of 'bpb', 'blimp', "),
        ("eval RUN --suite blimp", "suite 'blimp' needs the tokenizer that the model was trained with: its file would"),
        ("eval RUN --corpus .", ". holds no corpus: it has no manifest.json"),
        ("sample RUN", "holds no tokenizer.json, so its model reads no text: a run on text would work"),
        ("export RUN --heads 4 new", "--heads does not apply to RUN, whose model is trained: a total would work"),
        ("export RUN --format card new", "--format card does not apply to a trained model: hf or slimlm would work"),
        ("lr-find --low 1 --high 0.1 --out new", "low=1.0 is not allowed: it must be below high=0.1"),
        ("lr-find --steps 5 --out new", "steps=5 is not allowed: fewer than 10 give no curve; steps=100 would work"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_2(
    line: str,
    sentence: str,
    symbol_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").symlink_to(symbol_run)
    assert main([*options(line), *([*SYMBOLS, *RECIPE] if line.startswith("lr-find") else [])]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("slimlm: ") and error.count("\n") == 1


def test_a_run_that_is_not_over_has_no_weights_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert main(["sample", str(tmp_path)]) == 2
    assert "is not over; --best would use the weights of its best evaluation so far" in capsys.readouterr().err
