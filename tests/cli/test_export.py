"""`slimlm export`: what it writes, and that it writes all or nothing."""

import json
from pathlib import Path

import pytest
import torch

from slimlm.cli.main import main
from slimlm.core.families import family
from slimlm.core.published import published_model
from slimlm.interop.hf import to_hf_config
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import from_pretrained
from slimlm.solver.solver import solve

SMALL = ("export", "200k", "--vocab-size", "512", "--family", "llama")


def written(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_transformers_loads_the_folder_and_answers_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "small"
    assert main([*SMALL, "--seed", "3", str(folder)]) == 0
    names = ["README.md", "config.json", "generation_config.json", "model.safetensors"]
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in names]
    theirs = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    ours = LanguageModel(solve(family("llama", 200_000, vocab_size=512))).eval()
    ours.reset_parameters(seed=3)
    ids = torch.arange(32).repeat(2, 1)
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, ours(ids)[0], rtol=0, atol=1e-4)


def test_formats_are_written_together(tmp_path: Path) -> None:
    formats = [text for name in ("config", "report", "card", "config") for text in ("--format", name)]
    assert main([*SMALL, *formats, str(tmp_path / "all")]) == 0
    assert written(tmp_path / "all") == {"config.json", "report.md", "report.html", "card.png"}
    assert written(tmp_path) == {"all"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert main([*SMALL, "--format", "config", str(tmp_path)]) == 0
    assert written(tmp_path) == {"config.json"}


def test_slimlms_own_format_holds_every_model(tmp_path: Path) -> None:
    options = ["--format", "slimlm", "--dtype", "bfloat16", str(tmp_path / "new")]
    assert main(["export", "TinyStories-1M", *options]) == 0
    model = from_pretrained(tmp_path / "new")
    assert model.architecture == published_model("TinyStories-1M").architecture
    assert model.token_embedding.weight.dtype == torch.bfloat16


def test_what_was_not_read_of_a_config_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = to_hf_config(published_model("SmolLM2-135M").architecture)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(source | {"n_layers": 3}))
    assert main(["export", str(file), "--format", "config", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().err == "slimlm: mine: n_layers is no key of llama, and is not read\n"


def test_a_config_of_the_user_is_exported_again(tmp_path: Path) -> None:
    source = to_hf_config(published_model("SmolLM2-135M").architecture)
    (tmp_path / "config.json").write_text(json.dumps(source))
    assert main(["export", str(tmp_path), "--format", "config", str(tmp_path / "new")]) == 0
    assert json.loads((tmp_path / "new" / "config.json").read_text()) == source


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["export", "200k", "new"],
            "Switch to Llama (RMSNorm + RoPE) or GPT-2 (GELU MLP + biases on every projection)",
        ),
        (["export", "200k", "new"], "; --format slimlm would work too"),
        (["export", "gpt2", "--heads", "4", "new"], "--heads does not apply to gpt2, which has a shape of its own"),
        (["export", "gpt2", "--family", "llama", "new"], "--family does not apply to gpt2"),
        (["export", "gpt2", "--format", "card", "new"], "gpt2 has no card, which shows a request: --format report wo"),
        (["export", "gpt3", "new"], "name='gpt3' is not allowed: it must be one of the 74 published models"),
        (["export", "1 Q", "new"], "'1 Q' is not a size"),
        ([*SMALL, "--format", "gguf", "new"], "format='gguf' is not allowed: it must be one of 'hf', 'config', 'slim"),
        ([*SMALL, "--dtype", "int8", "new"], "dtype='int8' is not allowed: it must be one of 'float32', 'bfloat16'"),
        ([*SMALL, "full"], "full holds files, which export does not replace: a new or empty folder would work"),
        ([*SMALL, "file"], "file is a file: the name of a new or empty folder would work"),
        ([*SMALL, "none/new"], "none/new cannot be written: there is no folder none"),
        (["export", "200k", "--family", "lama", "new"], "family='lama' is not allowed"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    (tmp_path / "file").touch()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert written(tmp_path) == {"full", "file"}
    assert written(tmp_path / "full") == {"kept"}


def test_a_failure_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slimlm.model.checkpoint.export_pretrained", full)
    assert main([*SMALL, "--format", "config", "--format", "hf", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == f"slimlm: {tmp_path / 'new'} cannot be written: No space left on device\n"
    assert not written(tmp_path)


def test_a_family_is_an_option_of_every_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "3M", "--family", "gemma", "--untied", "--json"]) == 0
    request = json.loads(capsys.readouterr().out)["request"]
    assert (request["block"], request["ffn"], request["tied_lm_head"]) == ("sandwich_norm", "geglu_tanh", False)
