"""The benchmark's command, its table, and the models that it measures: nothing here depends on time."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimlm.core.accounting import count_total
from tests.bench import __main__ as bench
from tests.bench.kit import Row, in_turns
from tests.bench.model import SIZES, Size, llama, matrix_shapes
from tests.bench.table import NAME_WIDTH, format_row, table_head
from tests.bench.training_cuda import CELLS, cell
from tests.server import ROOT


def test_the_whole_run_takes_at_most_ten_minutes_and_names_what_it_leaves_out() -> None:
    assert sum(bench.SECTIONS[name].seconds for name in bench.WHOLE_RUN) <= 600
    assert {*bench.WHOLE_RUN, *bench.BY_NAME_ONLY} == set(bench.SECTIONS)
    assert "; by name only: training, hostile, memory-7b, soak-long" in bench.describe_run(bench.WHOLE_RUN)
    assert "by name only" not in bench.describe_run(list(bench.SECTIONS))
    assert "budget 150 s" in bench.describe_run(["import", "page"])


def test_sections_are_chosen_by_name() -> None:
    assert bench.read_arguments([]) == bench.WHOLE_RUN
    assert bench.read_arguments(["--only", "page", "--only", "soak-long"]) == ["page", "soak-long"]


def test_a_wrong_name_ends_with_one_sentence_that_lists_the_sections(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.read_arguments(["--only", "page", "--only", "pages"])
    assert capsys.readouterr().err == (
        "'pages' is not a section of the benchmark: it must be one of import, solver, sweep, count, model, memory, "
        "page, crowd, soak, training, hostile, memory-7b, soak-long\n"
    )


def test_help_names_every_section_and_its_budget(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        bench.read_arguments(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {section.seconds} s" in said for name, section in bench.SECTIONS.items())
    assert "By name only: training 150 s, hostile 5400 s, memory-7b 480 s, soak-long 840 s." in said


@pytest.mark.parametrize(
    ("given", "passed"), [([], ""), (["ONLY=page"], "--only page"), (["ONLY=page model"], "--only page --only model")]
)
def test_make_passes_the_sections_on(given: list[str], passed: str) -> None:
    command = ["make", "--dry-run", "--no-print-directory", "bench", *given]  # tests may run below a make themselves
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].strip() == f".venv/bin/python -m tests.bench {passed}".strip()


def test_each_row_is_in_the_file_before_the_next_one_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "table.txt"
    seen: list[list[str]] = []

    def rows() -> Iterator[Row]:
        for number in (1, 2):
            seen.append(written.read_text().splitlines())
            yield Row(f"row {number}", number, most=1, unit="number")
        seen.append(written.read_text().splitlines())
        raise KeyboardInterrupt

    monkeypatch.setitem(bench.SECTIONS, "import", bench.Section(rows, 10))
    with written.open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(KeyboardInterrupt):
            bench.measure(["import"])
    first, second, third = seen
    assert first[1:] == table_head().splitlines()
    assert first[0].startswith("Python ")
    assert second[3:] == [format_row(Row("row 1", 1, most=1, unit="number"))]
    assert third[3:] == [*second[3:], format_row(Row("row 2", 2, most=1, unit="number"))]


def test_a_run_ends_with_the_time_of_each_section_and_the_aims_missed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        Row("met", 1.0, most=1.0),
        Row("missed", 2.0, most=1.0),
        Row("missed beside a peer", 3.0, 2.0, most_ratio=1.25),
        Row("no peer", 3, 0, most_ratio=1.25, unit="number"),
        Row("no aim", 1.0, 2.0),
    ]
    monkeypatch.setitem(bench.SECTIONS, "import", bench.Section(lambda: iter(rows), 10))
    bench.measure(["import"])
    *_, section, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"── import: \d+ s, budget 10 s", section)
    assert re.fullmatch(r"2 of 3 aims missed; \d+ s in all", last)


def test_columns_are_aligned_whatever_the_row() -> None:
    lines = [
        *table_head().splitlines(),
        format_row(Row("build 10M | Llama", 0.0123, 0.0246, most_ratio=0.6)),
        format_row(Row("import slimlm", 0.0512, most=0.05)),
        format_row(Row("server's memory: highest | before", 512e6, 256e6, unit="bytes")),
        format_row(Row("errors", 0, 3, most=0, unit="number")),
    ]
    gap = " " * (NAME_WIDTH - len("build 10M | Llama"))
    assert lines[2] == f"build 10M | Llama{gap}     12.3 ms     24.6 ms    0.50  ≤ 0.60"
    assert re.sub(" +", " ", lines[3]) == "import slimlm 51.2 ms ≤ 50.0 ms missed"
    assert re.sub(" +", " ", lines[4]) == "server's memory: highest | before 512 MB 256 MB 2.00"
    assert re.sub(" +", " ", lines[5]) == "errors 0 3 0.00 ≤ 0"
    aim = lines[0].index("aim")
    assert {lines[number].index("≤") for number in (2, 3, 5)} == {aim}


def test_rounds_are_bounded_by_number_and_by_time() -> None:
    calls: list[str] = []
    in_turns(lambda: calls.append("ours"), lambda: calls.append("peer"), 3)
    assert calls == ["ours", "peer", "peer", "ours", "ours", "peer"]
    calls.clear()
    in_turns(lambda: calls.append("ours"), lambda: calls.append("peer"), 3, seconds=0.0)
    assert calls == ["ours", "peer"]


def test_models_have_the_shapes_of_real_ones() -> None:
    shapes = {size.name: (size.architecture.n_layers, size.architecture.d_model) for size in SIZES}
    assert shapes["110M"] == shapes["110M like Llama"] == (12, 768)
    assert shapes["750M like Llama"] == (24, 1536)
    for size in SIZES:
        wanted = 1_000_000 * int(size.name.partition("M")[0])
        assert count_total(size.architecture) == pytest.approx(wanted, rel=0.005), size.name
        assert size.architecture.head_width == (22 if wanted == 10_000_000 else 64)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_model_and_its_peer_have_the_same_matrices(size: Size) -> None:
    import torch

    from slimlm import LanguageModel

    with torch.device("meta"):
        model, peer = LanguageModel(size.architecture), llama(size.architecture)()
    assert matrix_shapes(model) == matrix_shapes(peer)
    assert (peer.config.num_hidden_layers, peer.config.hidden_size) == (model.n_layers, model.d_model)
    if size.name.endswith("like Llama"):
        assert sum(weight.numel() for weight in peer.parameters()) == count_total(size.architecture)


def test_cells_of_the_training_benchmark_have_ten_million_parameters_and_4_to_29_layers() -> None:
    cells = [cell(*shape) for shape in CELLS]
    assert all(abs(count_total(architecture) / 10e6 - 1) < 0.006 for architecture in cells)
    assert [cells[0].n_layers, *sorted(architecture.n_layers for architecture in cells)] == [11, 4, 7, 11, 14, 19, 29]


def test_the_peak_of_a_process_is_not_that_of_the_process_it_was_started_by() -> None:
    ballast = b"x" * 400_000_000
    code = "from tests.bench.memory import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert 5e6 < int(done.stdout) < len(ballast)
