"""The command `sweep`: the CSV that it prints or writes, what it says meanwhile, and how it ends."""

import csv
import io
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from slimlm.cli import sweep as command
from slimlm.cli.main import main
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.probing import probe as probing
from slimlm.probing.probe import ProbeReport
from slimlm.sweep import sweep, sweep_csv

SMALL = "1M --vocab-size 1k --heads 4 --max-seq-length 32"
BUSY = "slimlm: the machine was busy while measuring: compare the times with care"
GRID = ("embedding_ratio", (0.25, 0.35, 0.45)), ("glu_expansion", (2.0, 2.66, 3.0, 4.0))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_specified_grid_is_printed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep"]) == 0
    printed = capsys.readouterr()
    assert printed.out == sweep_csv(sweep(ModelConfig(), *GRID))
    assert printed.err == (
        "Forward FLOPs per token: lowest: 22.2 MFLOP at ratio 0.45 · GLU 4, 4 layers × 288; "
        "the current design is 14 % above.\n"
    )


def test_knobs_values_and_the_rest_of_the_request_are_options(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["sweep", "20M", "--heads", "auto", "--norm", "rmsnorm", "--figure", "worst_miss"]
    assert main([*asked, "--x", "n-layers=none, 8..12 x 3", "--y", "tied_lm_head=true,false"]) == 0
    base = ModelConfig(total_params=20_000_000, n_heads="auto", norm="rmsnorm")
    found = sweep(base, ("n_layers", (None, 8, 10, 12)), ("tied_lm_head", (True, False)))
    assert capsys.readouterr().out == sweep_csv(found, None, ["worst_miss"])


def test_a_request_that_is_whole_with_the_values_of_its_axes_alone_is_swept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["sweep", *SMALL.split(), "--positions", "rope", "--layer-pattern", "wf", "--figure", "n_layers"]
    assert main([*asked, "--x", "window=8,16", "--y", "glu_expansion=2,3"]) == 0
    assert [row["window_asked"] for row in rows_of(capsys.readouterr().out)] == ["8", "16", "8", "16"]
    assert main([*asked, "--x", "glu_expansion=2", "--y", "embedding_ratio=0.3"]) == 2
    assert "its windowed layers need a window" in capsys.readouterr().err


def test_measured_figures_are_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sweep.csv"
    arguments = f"sweep {SMALL} --x n_layers=1,2 --y norm=layernorm,rmsnorm --measure -o {file}"
    assert main(arguments.split()) == 0
    rows = rows_of(file.read_bytes().decode())
    assert all(float(row["forward_seconds"]) > 0 and int(row["peak_bytes"]) >= 0 for row in rows)
    assert len(rows) == 4
    assert b"\r\r\n" not in file.read_bytes()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("Forward FLOPs per token: ")


def test_a_model_that_fails_is_told_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = probing.probe

    def probe(architecture: Architecture, **options: Any) -> ProbeReport:
        if architecture.n_layers == 2:
            raise MemoryError("building this model takes about 9 GB, and 1 GB of memory are free")
        return real(architecture, **options)

    monkeypatch.setattr(probing, "probe", probe)
    assert main(f"sweep {SMALL} --x n_layers=1,2,3 --y norm=rmsnorm --measure".split()) == 0
    printed = capsys.readouterr()
    assert [bool(row["forward_seconds"]) for row in rows_of(printed.out)] == [True, False, True]
    assert printed.err.startswith("slimlm: 2 × ")
    failure, *busy, best = printed.err.splitlines()
    assert failure.endswith("is not measured: building this model takes about 9 GB, and 1 GB of memory are free")
    assert best.startswith("Forward FLOPs per token: ")
    assert set(busy) <= {BUSY}


def test_an_interruption_keeps_what_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, built = probing.probe, list[Architecture]()

    def probe(architecture: Architecture, **options: Any) -> ProbeReport:
        if built:
            raise KeyboardInterrupt
        built.append(architecture)
        return real(architecture, **options)

    monkeypatch.setattr(probing, "probe", probe)
    assert main(f"sweep {SMALL} --x n_layers=1,2,3 --y norm=rmsnorm --measure".split()) == 0
    printed = capsys.readouterr()
    assert [bool(row["forward_seconds"]) for row in rows_of(printed.out)] == [True, False, False]
    assert printed.err.splitlines()[0] == "slimlm: stopped after 1 of 3 models"


def test_progress_is_shown_where_somebody_sees_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seen, ticks = Terminal(), count()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setattr("slimlm.utils.progress.time.perf_counter", lambda: float(next(ticks)))
    assert main(f"sweep {SMALL} --x n_layers=1,2 --y norm=rmsnorm --measure".split()) == 0
    steps = seen.getvalue().split("\r")[1:]
    assert [step[:29] for step in steps[:2]] == ["  0 %  measuring model 1 of 2", " 50 %  measuring model 2 of 2"]
    assert len(steps) == 3
    last, *busy, best = steps[-1].rstrip("\n").split("\n")
    assert last.strip() == "100 %  measured 2 of 2"
    assert best.startswith("Forward FLOPs per token: ")
    assert set(busy) <= {BUSY}
    assert "%" not in capsys.readouterr().out


LARGE = ["--x", "embedding_ratio=0.1..0.8 x 40", "--y", "glu_expansion=1..8 x 30", "--figure", "n_layers"]


def test_many_cells_tell_how_many_are_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    assert main(["sweep", *SMALL.split(), *LARGE]) == 0
    steps = [step[7:].strip() for step in seen.getvalue().split("\r")[1:]]
    done = [int(step.split(" of 1,200 ")[0].replace(",", "")) for step in steps]
    assert "1,200 of 1,200 solved" in steps and steps[-1] == "1,200 of 1,200 evaluated"
    assert done == sorted(done[: done.index(1200) + 1]) + done[done.index(1200) + 1 :]
    assert len(rows_of(capsys.readouterr().out)) == 1200


@pytest.mark.parametrize("stage", ["sweep", "sweep_csv", "replacing"])
def test_an_interrupted_sweep_says_so_and_leaves_no_file(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def interrupted(*given: Any) -> Any:
        return stop() if stage == "replacing" else real(*given[:3], stop)

    real = getattr(command, stage)
    monkeypatch.setattr(command, stage, interrupted)
    with pytest.raises(SystemExit, match=r"^130$"):
        main(["sweep", *SMALL.split(), *LARGE, "-o", str(tmp_path / "cells.csv")])
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "slimlm: stopped before the sweep was written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--x", "embedding_ratio"], "slimlm: --x 'embedding_ratio' has no values; write KNOB=VALUES, such as "),
        (["--y", "ratio=0.3"], "slimlm: 'ratio' is not a knob: it must be one of total_params, "),
        (["--x", "norm=batchnorm"], "slimlm: norm='batchnorm' is not allowed: it must be one of 'layernorm', "),
        (["--x", "glu_expansion=2,3"], "slimlm: x and y are both glu_expansion: two different knobs would work"),
        (["--figure", "beauty"], "slimlm: 'beauty' is not a metric: it must be one of n_layers, "),
        (["lots"], "slimlm: 'lots' is not a size; write a number such as 10M"),
        (["-o", "nowhere/sweep.csv"], "slimlm: nowhere/sweep.csv cannot be written: there is no folder nowhere"),
        (["-o", "tests"], "slimlm: tests cannot be written: Is a directory"),
    ],
)
def test_what_cannot_be_swept_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert main(["sweep", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(sentence)
    assert printed.err.count("\n") == 1


def test_help_explains_values_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["sweep", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "'0.2..0.5 in 7 steps'" in shown
    assert "kv_cache_bytes_per_token" in shown
    assert "--norm layernorm|rmsnorm" in shown


def test_a_log_says_which_model_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, str]] = []
    monkeypatch.setattr("slimlm.cli.sweep.shown_progress", lambda: lambda *call: told.append(call))
    ticks = count()
    monkeypatch.setattr("slimlm.utils.progress.time.perf_counter", lambda: float(next(ticks)))
    assert main(f"sweep {SMALL} --x n_layers=1,2 --y norm=rmsnorm --measure".split()) == 0
    assert [fraction for fraction, _ in told] == [0.0, 0.5, 1.0]
    assert told[0][1].startswith("measuring model 1 of 2, 1 × ")
    assert re.match(r"measuring model 2 of 2, 2 × \d+, about .* left$", told[1][1])
