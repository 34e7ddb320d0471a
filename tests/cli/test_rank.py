"""`slimlm rank`: the plan, a whole tiny study, going on with it, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from slimlm.cli.main import main
from slimlm.cli.rank_request import _further
from slimlm.core.config import ModelConfig
from slimlm.ranking.record import read_ranking
from slimlm.serialization.design_json import to_record
from slimlm.solver.solver import solve
from slimlm.study.study import RUNS, STUDY, VERDICT, open_study, read_outcomes
from tests.cli.runs import options, some_text
from tests.studies import fake_outcomes, fake_study, write_fake

TINY = options(
    "rank --total 30k --vocab-size 64 --source known-entropy --max-seq-length 16 --head-dim 8 --seeds 2 "
    "--x embedding_ratio=0.05,0.09 --y glu_expansion=2,4 --tokens 2k --batch-tokens 256 --learning-rate 1e-2 "
    "--evaluate-tokens 512"
)

PLAN = """\
cells     4, with 4 distinct architectures: 1 to 5 layers × d_model 24 to 48, head_dim 8
data      known entropy: 1,000,000 training tokens of 64 ids
runs      at least 16: 8 search of learning rates and 8 ranking
tokens    2.048k a run of the ranking; 32.77k in all
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study that the command has trained, without controls."""
    folder = tmp_path_factory.mktemp("rank") / "study"
    assert main([*TINY, "--no-controls", "--workers", "1", "--prediction", "wide wins", "--out", str(folder)]) == 0
    return folder


def test_a_study_is_trained_and_ranked(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes, problems = read_outcomes(tiny)
    assert problems == []
    ranking = read_ranking(tiny)
    assert ranking.complete and ranking.runs_done == len(outcomes) >= 16
    assert (tiny / VERDICT).exists()
    assert (tiny / "ranking.png").read_bytes().startswith(b"\x89PNG")
    assert open_study(tiny).request.prediction == "wide wins"
    assert not list((tiny / RUNS).glob("*/*.safetensors"))


def test_a_study_that_is_complete_says_its_verdict_again(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tiny / RUNS).glob("*/result.json")}
    assert main(["rank", str(tiny)]) == 0
    printed = capsys.readouterr().out
    assert read_ranking(tiny).verdict in printed
    assert "Held-out loss in bits per symbol; * may be best" in printed
    assert {path: path.stat().st_mtime_ns for path in (tiny / RUNS).glob("*/result.json")} == before


def test_what_is_missing_is_run_and_what_is_there_is_not(tiny: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    first, *rest = sorted((copy / RUNS).iterdir())
    expected = (first / "metrics.jsonl").read_bytes(), (first / "result.json").read_bytes()
    shutil.rmtree(first)
    before = {path: (path / "run.json").stat().st_mtime_ns for path in rest}
    assert main(["rank", str(copy), "--workers", "1"]) == 0
    assert ((first / "metrics.jsonl").read_bytes(), (first / "result.json").read_bytes()) == expected
    assert {path: (path / "run.json").stat().st_mtime_ns for path in rest} == before


def test_a_dry_run_prints_the_plan_and_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--no-controls", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(PLAN)
    assert re.search(r"\ncompute   [\d.]+ GFLOP; the cells' runs are within [\d.]+ % of each other\n", printed)
    assert re.search(r"\ntime      about [\d.]+ \w+\n", printed)
    assert re.search(r"\ncan show  differences of [\d.]+ bits per symbol or more between any two cells", printed)
    assert re.search(r"\npredicted embedding_ratio=\S+ > \S+ > \S+ > …, by the shapes of published models\n", printed)


def test_the_rehearsal_is_a_whole_study_with_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "--quick", "--dry-run", "--out", str(tmp_path / "quick")]) == 0
    printed = capsys.readouterr().out
    assert "4, with 4 distinct architectures" in printed
    for purpose in ("search of learning rates", "ranking", "A/A pair", "bad cell", "second recipe", "second horizon"):
        assert purpose in printed


def test_the_time_is_over_at_the_deadline_and_the_study_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    assert main([*TINY, "--no-controls", "--deadline", "0.001", "--out", str(folder)]) == 0
    assert "0 of" in capsys.readouterr().out
    assert read_outcomes(folder) == ({}, [])


def test_defaults_hold_the_heads_and_are_a_plain_model(tmp_path: Path) -> None:
    folder = write_fake(tmp_path / "any", fake_study(seeds=2), {})
    assert open_study(folder).request.head_dim == 8
    text = some_text(tmp_path)
    arguments = options(
        "rank --total 300k --vocab-size 300 --x embedding_ratio=0.05,0.1 --tokens 4k --batch-tokens 512 --dry-run"
    )
    assert main([*arguments, "--data", str(text), "--data-name", "whales", "--out", str(tmp_path / "new")]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rank", "a study needs a folder: --out DIR would work"),
        ("rank a --out b", "--out b does not apply beside a: one of the two would work"),
        ("rank a --engine slurm", "engine='slurm' is not allowed: it must be one of 'local', 'torchrun', 'ray'"),
        ("rank a --nice 20", "nice=20 must be 1 to 19; nice=19 would work"),
        ("rank a --nice 3 --engine ray", "--nice does not apply to --engine ray: --engine local would work"),
        ("rank --out a --seeds 1", "seeds=1 is not allowed: it must be a whole number between 2 and 1,000"),
        ("rank --out a --x embedding_ratio", "--x 'embedding_ratio' has no values"),
        ("rank --out a --second-recipe muon", "--second-recipe 'muon' has no value"),
        ("rank --out a --second-recipe speed=3", "field='speed' is not allowed: it must be one of 'tokens'"),
        ("rank --out a --quick --total 1M", "--total does not apply with --quick"),
        ("rank --out a --quick --data x", "--data does not apply with --quick"),
        (
            "rank --out a --x glu_expansion=1,2",
            "y='glu_expansion' is not allowed: the two axes must be different",
        ),
        ("rank --out a --x embedding_ratio=0.35,0.3501", "solve to one architecture"),
        ("rank --out a --data x --source prose", "--source does not apply with --data: one of the two would work"),
        ("rank --out a --field body --total 1M --vocab-size 4k", "--field applies to text of your own"),
    ],
)
def test_what_is_no_study_is_refused_in_a_sentence(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(options(line)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a" / STUDY).exists()


def test_a_further_model_may_be_any_text_of_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.txt"
    file.write_text("LlamaConfig {'model_type': 'llama', 'hidden_size': 64, 'num_attention_heads': 2, 'layers': 3}")
    found = _further(str(file))
    assert (found.name, found.architecture.d_model) == ("small", 64)
    assert "slimlm: small: layers is no key of llama, and is not read\n" in capsys.readouterr().err
    file.write_text("{'model_type': ")
    with pytest.raises(ValueError, match=r"^the config cannot be read: line 1 ends where a value was expected$"):
        _further(str(file))


def test_a_published_model_and_a_saved_design_are_further_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "mine.json"
    saved.write_text(json.dumps(to_record(solve(ModelConfig(total_params=40_000, vocab_size=64, n_heads=4)))))
    further = ["--model", str(saved), "--model", "pythia-14m"]
    folder = tmp_path / "study"
    assert main([*TINY, *further, "--no-controls", "--dry-run", "--out", str(folder)]) == 2
    assert "no common unit of losses" in capsys.readouterr().err  # 64 and 50,304 generated symbols
    assert main([*TINY, *further[:2], "--no-controls", "--deadline", "0.001", "--out", str(folder)]) == 0
    assert [cell.key for cell in open_study(folder).cells][-1] == "mine"


@pytest.mark.parametrize("option", ["--total 1M", "--seeds 4", "--source prose"])
def test_options_of_a_new_study_do_not_apply_to_one_that_is_there(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_fake(tmp_path / "study", fake_study(), {})
    assert main(["rank", str(folder), *options(option)]) == 2
    assert f"{option.split(maxsplit=1)[0]} does not apply to {folder}, whose study is fixed" in capsys.readouterr().err


def test_an_address_needs_the_engine_that_has_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = fake_study(seeds=2)
    folder = write_fake(tmp_path / "study", study, fake_outcomes(study))
    assert main(["rank", str(folder), "--address", "10.0.0.1"]) == 2
    assert "--address does not apply to --engine local: --engine ray would work" in capsys.readouterr().err


def test_a_study_that_goes_on_without_its_gpu_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = fake_study(seeds=2)
    outcomes = fake_outcomes(study, most=3, device="cuda (Abacus)")
    folder = write_fake(tmp_path / "study", study, outcomes)
    assert main(["rank", str(folder), "--deadline", "0.001"]) == 2  # the data of the study does not exist
    said = capsys.readouterr().err
    assert said.startswith(
        "slimlm: missing runs are trained on cpu, from their start, beside 3 finished runs on cuda (Abacus): the "
        "verdict will say that it compares across devices, which the same device would avoid\n"
    )


def test_a_study_that_goes_on_on_its_device_says_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = fake_study(seeds=2)
    folder = write_fake(tmp_path / "study", study, fake_outcomes(study, most=3))
    assert main(["rank", str(folder), "--device", "cpu", "--deadline", "0.001"]) == 2
    assert "beside" not in capsys.readouterr().err


def test_one_layer_is_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    further = options("--layers 1 --x n_loops=1,2 --y norm=layernorm,rmsnorm --no-controls --dry-run")
    assert main([*TINY, *further]) == 0
    assert " 1 layer × d_model " in capsys.readouterr().out
