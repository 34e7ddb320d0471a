"""`slimlm train`: plan, run, summary, resume, and what it refuses."""

import re
from pathlib import Path
from typing import Any

import pytest

from slimlm.cli import train as command
from slimlm.cli.main import main
from slimlm.model.pretrained import from_pretrained
from slimlm.runs.record import read_run
from tests.cli.runs import RECIPE, SYMBOLS, TEXT, some_text, trained

PLAN = """\
No --data: a generated source of known entropy is used; its defaults end in about a minute.

model    20.04k parameters · 1 layer × d_model 40 · d_ff 85 · 2 heads
data     known entropy: 1,000,000 training tokens of 64 ids, 100,000 held out (validation)
steps    16 × 512 tokens (32 × 16) = 8.192k tokens, 0.00819 epochs
recipe   adamw, learning rate 0.01, wsd, seed 0
compute  1.00 GFLOP (123 kFLOP per token)
memory   at least 1.46 MB
disk     at most 882 kB (2 checkpoints of 240 kB, and weights)
"""


def test_a_run_prints_its_plan_and_outcome_and_leaves_a_model_with_its_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = trained([*SYMBOLS, *RECIPE], tmp_path / "run")
    printed, said = capsys.readouterr()
    plan, _, summary = printed.partition("\nfinished")
    assert plan == PLAN
    record = read_run(out)
    assert record.result is not None
    figures = record.result["evaluation"]
    bits, floor = figures["validation.bits_per_symbol"], record.run["data"]["entropy"] / 0.6931471805599453
    assert f"nats per token = {bits:.4f} bits per symbol, {bits - floor:.4f} above the entropy of the source" in summary
    assert re.search(
        r"\n\S+ (ms|s|min) of steps, [\d,]+ tokens/s, MFU [\d.]+ %, peak memory \S+ [MG]B\n6 checks passed: ", summary
    )
    assert summary.endswith(f"picture: {out / 'curve'}.svg and .png\n")
    assert said == ""  # no terminal, and too short for an estimate
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "entropy of the source" in (out / "curve.svg").read_text(encoding="utf-8")
    assert from_pretrained(out).architecture.vocab_size == 64


def test_an_interrupted_run_says_how_to_go_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, symbol_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(fraction: float, _: str) -> None:
        if fraction > 0.6:
            raise KeyboardInterrupt

    arguments = ["train", *SYMBOLS, *RECIPE, "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(command, "shown_progress", lambda: interrupt)
        with pytest.raises(SystemExit, match=r"^130$"):
            main(arguments)
    said = capsys.readouterr().err
    assert said == "\nslimlm: stopped; the same command with --resume goes on from the last checkpoint\n"
    assert main(arguments) == 2
    assert "run holds a run already: --resume goes on with it, and another --out" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (symbol_run / name).read_bytes()
    assert main([*arguments, "--resume", "--seed", "1"]) == 2
    assert "holds another run: recipe.seed=0 is now 1; another folder would work" in capsys.readouterr().err


def test_without_a_checkpoint_an_interrupted_run_starts_again(tmp_path: Path) -> None:
    assert "before the first checkpoint" in command._interrupted(tmp_path)


def test_a_run_that_diverges_is_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained([*SYMBOLS, *RECIPE, "--learning-rate", "100", "--warmup-share", "0"], tmp_path / "run")
    assert re.search(
        r"\nDIVERGED at step \d+ .*: recorded as a result, without weights; a lower", capsys.readouterr().out
    )
    assert (tmp_path / "run" / "curve.svg").exists()
    assert main(["eval", str(tmp_path / "run")]) == 2
    assert "diverged, and has no weights; --best would use" in capsys.readouterr().err


def test_text_is_tokenised_once_and_the_corpus_can_be_used_again(
    text_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (text_run / "tokenizer.json").read_bytes() == (text_run / "data" / "tokenizer.json").read_bytes()
    again = ["60k", *TEXT[3:], "--data", str(text_run / "data"), "--tokens", "512", "--batch-tokens", "512"]
    out = trained([*again, "--suite", "bpb"], tmp_path / "again")
    assert "training tokens of 300 ids" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} >= {"tokenizer.json", "curve.svg"}
    assert not (out / "data").exists()
    result = read_run(out).result
    assert result is not None
    figures = result["evaluation"]
    assert figures["bpb.validation.bits_per_byte"] == figures["validation.bits_per_byte"]


def test_processes_but_the_first_print_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    trained([*SYMBOLS, *RECIPE, "--tokens", "512"], tmp_path / "run")
    assert capsys.readouterr() == ("", "")


SMALL = ["train", *TEXT]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*SMALL, "--data", "latin.txt"], "latin.txt is not UTF-8 text: byte 3 (0xe9) cannot be read; the file conver"),
        ([*SMALL, "--data", "empty.txt"], "empty.txt holds no text: a file with text would work"),
        ([*SMALL, "--data", "none.txt"], "none.txt cannot be read: No such file or directory"),
        ([*SMALL, "--data", "text.pdf"], "text.pdf is of an unknown kind: a name that ends in one of .txt, "),
        ([*SMALL, "--data", "short.txt"], "is too small to be split; a larger heldout_share or more text would work"),
        ([*SMALL, "--data", "text.txt", "--vocab-size", "8k"], "vocab_size=8000 is not allowed: the text supports at"),
        ([*SMALL, "--data", "text.txt", "--vocab-size", "200"], "vocab_size=200 is not allowed: it must be at least 2"),
        ([*SMALL, "--data", "text.txt"], "training tokens, fewer than one batch of 512 sequences of 32 tokens; "),
        ([*SMALL, "--data", "text.txt", "--source", "prose"], "--source does not apply with --data: one of the two"),
        ([*SMALL, "--data", "text.txt", "--tokenizer", "none.json"], "none.json cannot be read: No such file"),
        ([*SMALL, "--data", "text.txt", "--sequence-length", "64"], "sequence_length=64 is not allowed: the model tak"),
        ([*SMALL, "--data", "text.txt", "--batch-tokens", "100"], "batch_tokens=100 is not allowed: it must be a mult"),
        (["train", "--field", "text"], "--field applies to text of your own: --data would work"),
        (["train", "--source", "web"], "source='web' is not allowed: it must be one of 'prose', 'known-entropy'"),
        (["train", "--learning-rate", "fast"], "'fast' is not a number"),
        (["train", "--learning-rate", "nan"], "'nan' is not a number"),
        (["train", "--tokens", "many"], "'many' is not a size; write a number such as 10M"),
        (["train", "--schedule", "linear"], "schedule='linear' is not allowed: it must be one of 'wsd', 'cosine'"),
        (["train", "--warmup-share", "0.9"], "decay_share=0.25 is not allowed with warmup_share=0.9: warm-up and deca"),
        (["train", "--device", "abacus", *SYMBOLS, *RECIPE], "device='abacus' is not on this machine; it has cpu"),
        (["train", "gpt2", "--heads", "4"], "--heads does not apply to gpt2, which has a shape of its own"),
        (["train", *SYMBOLS, *RECIPE, "--suite", "blimp"], "suite 'blimp' needs the tokenizer that the model was"),
        (["train", *SYMBOLS, "--out", "model"], "model holds model.safetensors of another model: a new or empty fold"),
        (["train", *SYMBOLS, *RECIPE, "--out", "text.txt/run"], "text.txt/run' cannot be created: Not a directory"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_2(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    some_text(tmp_path)
    for name, content in {
        "latin.txt": b"caf\xe9",
        "empty.txt": b" \n",
        "text.pdf": b"text",
        "short.txt": b"A short text, and nothing more.",
        "model/model.safetensors": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert main([*arguments, *([] if "--out" in arguments else ["--out", "run"])]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("slimlm: ") and error.count("\n") == 1
    assert not list(tmp_path.glob("run/*.json"))


def test_a_full_disk_is_found_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> Any:
        return type("Usage", (), {"free": 1000})

    monkeypatch.setattr("slimlm.train.loop.shutil.disk_usage", full)
    assert main(["train", *SYMBOLS, *RECIPE, "--out", str(tmp_path / "run")]) == 2
    assert (
        "the run needs 882 kB on disk, but 1.00 kB are free; another folder or a lower keep" in capsys.readouterr().err
    )
