"""The command line: what it prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slimlm.cli.main import main
from slimlm.core.config import ModelConfig
from slimlm.core.published import all_published, published_model
from slimlm.core.table import format_param_table
from slimlm.notes import design_notes
from slimlm.notes.verdict import verdict
from slimlm.serialization.design_json import request_from_record
from slimlm.solver.solver import solve


def test_design_prints_the_table_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "design 10M --vocab-size 16k --embedding-ratio 35% --glu-expansion 2.66 --heads 8"
    assert main(arguments.split()) == 0
    design = solve(ModelConfig())
    table, _, notes = capsys.readouterr().out.partition("\nDesign notes\n")
    assert table == f"{verdict(design)}\n\n{format_param_table(design)}\n"
    assert notes.splitlines() == [f"  {note.severity}: {note.text} [{note.source}]" for note in design_notes(design)]


def test_an_odd_request_is_answered_with_the_notes_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "10M", "--vocab-size", "50257", "--embedding-ratio", "0.35"]) == 0
    notes = capsys.readouterr().out.partition("\nDesign notes\n")[2]
    assert notes.startswith(
        "  warning: 102 layers are many: the fit of Levine and colleagues gives 95 only at a trillion"
    )


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


def test_every_choice_of_structure_reaches_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--heads auto --kv-heads 2 --head-dim 64 --norm rmsnorm --positions rope --rope-theta 500000 --ffn geglu "
        "--bias qkv --qk-norm head --block sandwich_norm --lm-head-bias --embedding-norm --dropout 0 "
        "--attention-dropout 0.2 --layer-norm-eps 1e-5"
    )
    assert main(["design", "20M", *options.split(), "--json"]) == 0
    asked = ModelConfig(
        total_params=20_000_000,
        n_heads="auto",
        n_kv_heads=2,
        head_dim=64,
        norm="rmsnorm",
        positions="rope",
        rope_theta=500_000.0,
        ffn="geglu",
        bias="qkv",
        qk_norm="head",
        block="sandwich_norm",
        lm_head_bias=True,
        embedding_norm=True,
        dropout=0.0,
        attention_dropout=0.2,
        layer_norm_eps=1e-5,
    )
    assert request_from_record(json.loads(capsys.readouterr().out)) == asked


def test_windows_are_options_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--vocab-size", "4096", "--window", "128", "--layer-pattern", "WWF", "--embedding-scale", "12"]
    assert main(["design", "3M", *given]) == 0
    assert "2 of 3 layers attend to 128 tokens" in capsys.readouterr().out


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["design", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--norm layernorm|rmsnorm|layernorm_no_bias|layernorm_no_params Normalisation: LayerNorm has" in shown
    assert "--heads auto|N" in shown and "(default 8)" in shown
    assert "within ±0.5 % of it" in shown


def test_inspect_prints_a_published_model_with_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "gemma-3-270m"]) == 0
    title, origin, note, judged, blank, *table = capsys.readouterr().out.splitlines()
    assert title == "gemma-3-270m · 268.1M parameters · 18 layers × d_model 640 · d_ff 2,048 · 4 heads (1 KV)"
    assert (origin, blank) == ("Published 2025.", "")
    assert judged.startswith("18 layers × 640 is a usual shape: ")
    assert note == "Note: RMSNorm multiplies by 1 + weight."
    assert "\n".join(table) == format_param_table(published_model("gemma-3-270m").architecture)


@pytest.mark.parametrize("named", ["config.json", "."], ids=["file", "folder"])
def test_inspect_reads_a_config(
    named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "mine"
    home.mkdir()
    (home / "config.json").write_text('{"model_type": "mistral", "rope_scaling": {"type": "linear"}}', encoding="utf-8")
    monkeypatch.chdir(home)
    assert main(["inspect", named]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("mine · 7.242B parameters · 32 layers × d_model 4,096 · d_ff 14,336 · 32 heads (8 KV)\n")
    assert "\nFrom a config.json.\nNote: vocab_size 32,000, hidden_size 4,096, intermediate_size 14,336, " in printed
    assert " are defaults of mistral, not in the config.\n" in printed
    assert '\nNote: rescaled rotary positions (rope_type="linear").\n' in printed
    assert main(["inspect", named, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["architecture"]["n_kv_heads"] == 8
    assert solve(request_from_record(record)).total_params == record["account"]["total_params"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("params.json", '{"dim": 64, "n_layers": 2, "n_heads": 2, "vocab_size": 99, "layers": 3}'),
        ("model_config.yaml", "n_embd: 64\nn_layer: 2\nn_head: 2\nn_query_groups: 1\nvocab_size: 99\nlayers: 3\n"),
        (
            "small.txt",
            "LlamaConfig {\n 'model_type': 'llama', 'hidden_size': 64, 'num_attention_heads': 2, 'layers': 3}",
        ),
        ("small.py", "n_embd = 64\nn_layer = 2\nn_head = 2\nblock_size = 8\nlayers = 3  # in all\n"),
    ],
)
def test_inspect_reads_files_of_other_kinds_and_says_what_it_did_not_read(
    file: str, text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "small"
    home.mkdir()
    (home / file).write_text(text, encoding="utf-8")
    monkeypatch.chdir(home)
    for source in (file, ".") if file in ("params.json", "model_config.yaml") else (file,):
        assert main(["inspect", source]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("small · ") and "\nNote: layers is no key of " in printed
    assert main(["inspect", file, "--json"]) == 0
    assert any("layers is no key of " in remark for remark in json.loads(capsys.readouterr().out)["remarks"])


def test_a_file_that_is_not_there_is_not_taken_for_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "model_config.yaml"]) == 2
    assert capsys.readouterr().err.startswith('slimlm: the config "model_config.yaml" cannot be read: No such file')


def test_published_lists_every_model_in_straight_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["Name", "Family", "Year", "Parameters", "Non-embedding", "Active", "Embedding"]
    assert {len(row) for row in rows} == {len(head)}
    assert [row.split()[0] for row in rows] == [model.name.split()[0] for model in all_published()]
    for row, model in zip(rows, all_published(), strict=True):
        account = model.account
        counts = [account.total_params, account.non_embedding_params]
        counts += [account.active_params] if model.architecture.is_mixture else []
        assert "".join(f"{count:,}" for count in counts) in row.replace(" ", "")


def test_json_holds_request_architecture_and_account(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", "10M", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["architecture"]["d_model"] == 216
    assert sum(part["params"] for part in record["account"]["components"]) == record["account"]["total_params"]
    assert record["account"]["active_params"] - record["account"]["non_embedding_params"] == 16_000 * 216
    assert [knob["name"] for knob in record["asked_got"]] == ["total_params", "embedding_ratio", "glu_expansion"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("design lots", "slimlm: 'lots' is not a size; write a number such as 10M"),
        ("design 10M --embedding-ratio 1.5", "slimlm: embedding_ratio=1.5 is not allowed: it must be a number between"),
        ("design 10M --glu-expansion wide", "slimlm: 'wide' is not a number"),
        ("design 10M --norm batchnorm", "slimlm: norm='batchnorm' is not allowed: it must be one of 'layernorm', "),
        ("design 10M --kv-heads 3", "slimlm: n_kv_heads=3 is not allowed: it must divide n_heads=8"),
        ("design 10M --heads some", "slimlm: 'some' is neither auto nor a whole number"),
        (
            "inspect gpt3",
            "slimlm: name='gpt3' is not allowed: it must be one of the 74 published models known here; name='gpt2'",
        ),
        (
            "inspect opt-350m",
            "slimlm: name='opt-350m' is not allowed: it is left out, because its embeddings",
        ),
        (
            "inspect nowhere/config.json",
            'slimlm: the config "nowhere/config.json" cannot be read: No such file or directory',
        ),
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


def test_ctrl_c_is_no_traceback_wherever_it_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slimlm.cli.design.request_of", interrupted)
    assert main(["design", "10M"]) == 130
    assert capsys.readouterr() == ("", "\nslimlm: stopped\n")
