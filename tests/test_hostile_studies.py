"""Studies that are broken, huge or made to do harm: a sentence each, or a result; never a traceback or a wait."""

import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from slimlm.charts.study_curves import study_curves
from slimlm.charts.study_map import study_map
from slimlm.cli.main import main
from slimlm.export.study_notebook import study_notebook
from slimlm.export.study_reports import study_json, study_markdown
from slimlm.export.study_tables import cells_csv, runs_csv
from slimlm.ranking.codec import from_data
from slimlm.ranking.rank import rank_study
from slimlm.ranking.record import read_ranking, write_ranking
from slimlm.ranking.result import Control
from slimlm.runs.lock import LOCK
from slimlm.study.study import PACKED, STUDY, VERDICT, StudyData, open_study, read_outcomes, study_from_record
from tests.cli.runs import options
from tests.fuzz.mutation import places
from tests.studies import fake_outcomes, fake_request, fake_study, write_fake

VALUES: list[Any] = [
    None, True, 0, -1, 1, 10**399, -(10**300), 1e308, -0.5, float("nan"), float("inf"), "nan", "", [], {}, [[[]]],
    {"a": [1]}, "x" * 5000, "<script>alert(1)</script>", "a\nb", "\u202eabc", "\ud800", "../../x", 1e-300, 2**63,
    [None] * 50, "auto",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small study with its verdict."""
    request = fake_study(
        x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)), seeds=2, total=300_000, vocab_size=512
    )
    folder = write_fake(tmp_path_factory.mktemp("study"), request, fake_outcomes(request))
    write_ranking(folder)
    return folder


def sentence_of(error: ValueError) -> str:
    text = str(error)
    assert text.isprintable() and len(text) < 500, text
    return text


def use(folder: Path) -> None:
    """Do what the page does, but for the pictures; each error is one sentence."""
    try:
        found = open_study(folder)
        outcomes, problems = read_outcomes(folder)
        assert all(problem.isprintable() and len(problem) < 500 for problem in problems)
        ranking = read_ranking(folder)
    except ValueError as error:
        sentence_of(error)
        return
    json.dumps([study_map(found, ranking).to_dict(), study_curves(found, outcomes, ranking).to_dict()], allow_nan=False)
    texts = (study_markdown(found, ranking), study_json(found, ranking), study_notebook(found, outcomes, ranking))
    for text in (*texts, cells_csv(ranking), runs_csv(found, outcomes)):
        assert "<script" not in text.replace("\\<", "") or "notebook" in text or text.startswith(("{", "key"))
        text.encode()


def mutated(record: Any, draw: random.Random) -> Any:
    """Return a copy in which one value is another, missing, or has a strange neighbour."""
    changed = target = copy.deepcopy(record)
    *way, last = draw.choice(list(places(record)))
    for key in way:
        target = target[key]
    kind = draw.random()
    if kind < 0.1 and isinstance(target, dict):
        del target[last]
    elif kind < 0.2 and isinstance(target, dict):
        target[draw.choice(["new\nkey", "x" * 3000, "<b>", ""])] = 1
    else:
        target[last] = draw.choice(VALUES)
    return changed


def copied(study: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in (STUDY, PACKED, VERDICT):
        (folder / name).write_bytes((study / name).read_bytes())
    return folder


@pytest.mark.parametrize(("name", "count"), [(STUDY, 25), (PACKED, 6), (VERDICT, 6)])
def test_no_value_of_a_file_ends_in_a_traceback(name: str, count: int, study: Path, tmp_path: Path) -> None:
    draw = random.Random(name)
    folder = copied(study, tmp_path / "study")
    lines = [json.loads(line) for line in (study / name).read_text().splitlines()] if name == PACKED else []
    whole = None if lines else json.loads((study / name).read_text())
    for _ in range(count):
        if lines:
            place = draw.randrange(len(lines))
            part = mutated({key: one for key, one in lines[place].items() if key != "metrics"}, draw)
            changed = [*lines[:place], {"metrics": lines[place]["metrics"]} | part, *lines[place + 1 :]]
            (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in changed))
        else:
            (folder / name).write_text(json.dumps(mutated(whole, draw)))
        use(folder)


@pytest.mark.parametrize("name", [STUDY, PACKED, VERDICT])
def test_no_changed_byte_ends_in_a_traceback(name: str, study: Path, tmp_path: Path) -> None:
    draw, folder = random.Random(0), copied(study, tmp_path / "study")
    for _ in range(3):
        content = bytearray((study / name).read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (folder / name).write_bytes(content)
        use(folder)


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "huge"])
@pytest.mark.parametrize("name", [STUDY, PACKED, VERDICT])
def test_what_is_no_file_is_a_sentence_or_left_out(name: str, kind: str, study: Path, tmp_path: Path) -> None:
    folder = copied(study, tmp_path / "study")
    file = folder / name
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "loop":
        file.symlink_to(file)
    else:
        with file.open("wb") as out:
            out.truncate(2**40)
    use(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", "4096"), ("vocab_size", -1), ("train_tokens", 10**399), ("unit", "word"), ("name", 7),
        ("name", "\ud800"), ("digest", None), ("entropy", float("nan")), ("units_per_token", -1.0), ("entropy", True),
        ("units_per_token", "3"), ("units_per_token", 10**399),
    ],
)  # fmt: skip
def test_data_that_slimlm_does_not_record_is_refused(field: str, value: object) -> None:
    fields = {"name": "text", "digest": "d", "vocab_size": 64, "train_tokens": 9, "unit": "byte"} | {field: value}
    with pytest.raises(ValueError, match=f"the data of a study has {field}=.*: what slimlm records of a text would wo"):
        StudyData(**fields)  # type: ignore[arg-type]


def test_data_of_more_ids_than_the_model_or_another_unit_is_refused() -> None:
    record = fake_study().to_record()
    with pytest.raises(ValueError, match=r"the data for vocab_size=4096 has 5000 ids .*: at most 4096 ids and"):
        study_from_record(record | {"data": {"4096": record["data"]["4096"] | {"vocab_size": 5000}}})


def test_an_unknown_field_is_named_on_one_short_line() -> None:
    record = fake_study().to_record()
    record["request"]["base"]["a\nb" + "x" * 9000] = 1
    with pytest.raises(
        ValueError, match=r"the request of the study is damaged: .*; a study.json of slimlm would wo"
    ) as e:
        study_from_record(record)
    sentence_of(e.value)


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("result", {"tokens": 10**399}, "tokens="), ("result", {"flops": -1}, "flops=-1"),
        ("result", {"evaluation": {"validation.bits_per_byte": float("nan")}}, "validation.bits_per_byte=NaN"),
        ("result", {"evaluation": {"validation.bits_per_byte": 1e308}}, "validation.bits_per_byte=1e"),
        ("result", {"status": "fine"}, 'status="fine"'), ("result", {"tokens": "5"}, 'tokens="5"'),
        ("run", {"setting": {"device": "\x1b[2J", "precision": "float32"}}, "device="),
        ("run", {"versions": {"torch": "x" * 999}}, "version="),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_computed_with_is_a_problem(
    part: str, change: dict[str, Any], named: str, study: Path, tmp_path: Path
) -> None:
    folder = copied(study, tmp_path / "study")
    first, *rest = (folder / PACKED).read_text().splitlines()
    record = json.loads(first)
    record[part] |= change
    (folder / PACKED).write_text("\n".join([json.dumps(record), *rest]) + "\n")
    outcomes, (problem,) = read_outcomes(folder)
    assert len(outcomes) == len(rest) and problem.isprintable() and len(problem) < 400
    assert problem.startswith(f"the record of run {record['key']} is damaged ({named}")


def test_metrics_that_no_chart_can_show_are_a_problem(study: Path, tmp_path: Path) -> None:
    folder = copied(study, tmp_path / "study")
    first, *rest = (folder / PACKED).read_text().splitlines()
    record = json.loads(first)
    record["metrics"][0]["evaluation"] = "all"
    (folder / PACKED).write_text("\n".join([json.dumps(record), *rest]) + "\n")
    assert "is damaged" in read_outcomes(folder)[1][0]


def test_a_verdict_of_another_grid_is_computed_again(study: Path, tmp_path: Path) -> None:
    folder = copied(study, tmp_path / "study")
    verdict = json.loads((folder / VERDICT).read_text())
    verdict["ranking"]["cells"][0]["key"] = "another"
    (folder / VERDICT).write_text(json.dumps(verdict))
    assert read_ranking(folder) == read_ranking(study)


@pytest.mark.parametrize(("field", "value"), [("sentence", "\ud800"), ("figures", {"a": 1e300})])
def test_a_verdict_with_values_that_cannot_be_shown_is_refused(field: str, value: object) -> None:
    record = {"key": "bad", "name": "Bad cell", "passed": True, "sentence": "", "figures": {}} | {field: value}
    with pytest.raises(ValueError, match=f"control.{field}.* is no (str|float): what slimlm wrote would work"):
        from_data(Control, record, "control")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 1000}, "12 cells with 1,000 seeds are 12,000 runs: it must be at most 10,000"),
        ({"x": ("n_layers", (None, 4))}, 'x="n_layers" has a value that is left open'),
        ({"y": ("n_layers", (4, None))}, 'y="n_layers" has a value that is left open'),
        ({"prediction": 7}, "prediction=7 is not allowed: it must be text"),
        ({"prediction": "\ud800"}, "prediction=.* is not allowed: it must be text that UTF-8 can write"),
    ],
)
def test_requests_that_no_study_can_meet_are_refused_at_once(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fake_request(**fields)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            {"learning_rate": 50.0},
            "learning_rate=50.0 is not allowed: the centre of a search must be between 1e-08 and",
        ),
        ({"seed": 2**32 - 1}, "seed=4294967295 is not allowed: a study adds up to 2000 to it"),
    ],
)
def test_a_recipe_that_leaves_no_room_for_the_runs_is_refused(recipe: dict[str, Any], message: str) -> None:
    record = fake_study().to_record()
    record["request"]["recipe"] |= recipe
    with pytest.raises(ValueError, match=message):
        study_from_record(record)


def test_the_second_recipe_has_the_tokens_of_the_first() -> None:
    record = fake_study().to_record()
    record["request"]["second_recipe"]["tokens"] = 5
    with pytest.raises(
        ValueError, match="tokens=5 is not allowed: the second recipe trains on the tokens of the first"
    ):
        study_from_record(record)


def test_two_cells_of_one_name_are_refused() -> None:
    record = fake_study().to_record()
    shape = {"d_model": 64, "d_ff": 128, "n_layers": 2, "vocab_size": 4096}
    record["request"]["models"] = [{"name": "a", "origin": "", "architecture": shape | {"d_ff": d}} for d in (128, 256)]
    with pytest.raises(ValueError, match='two cells of the study have the name "a"'):
        study_from_record(record)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--deadline 0", "deadline=0.0 is not allowed: it must be a finite number above 0"),
        ("--deadline -1", "deadline=-1.0 is not allowed"),
        ("--deadline nan", "'nan' is not a number"),
        ("--workers 0", "workers=0 is not allowed: it must be a whole number of at least 1"),
        ("--x n_layers=2,4", "--x does not apply to"),
        ("--learning-rate 1e-3", "--learning-rate does not apply to"),
        ("--equal flops", "--equal does not apply to"),
        ("--quick", "--quick does not apply to"),
    ],
)
def test_options_that_a_study_cannot_take_are_refused(
    option: str, message: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rank", str(study), *option.replace(" ", "=", 1).split()]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("option", ["--x n_layers=2,4", "--max-seq-length 128"])
def test_the_rehearsal_takes_no_axes_of_your_own(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rank", "--quick", "--out", str(tmp_path / "a"), *options(option)]) == 2
    assert f"{option.split(maxsplit=1)[0]} does not apply with --quick" in capsys.readouterr().err


def test_a_study_loses_nothing_to_another_request_for_its_folder(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(study, tmp_path / "study")
    (folder / "local.json").write_text('{"data": {"512": "/somewhere"}}')
    (folder / LOCK).touch()  # a process that looks whether the study is trained makes it
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(options(f"rank --total 60k --vocab-size 512 --source known-entropy --out {folder}")) == 2
    assert "holds another study: another folder, or the same request, would work" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_names_do_not_reach_the_terminal_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from slimlm.cli.rank_text import format_study_plan
    from slimlm.study.plan import plan_study

    found = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)), prediction="\x1b[2Jwide\nwins")
    text = format_study_plan(found, plan_study(found), None, "")
    assert "you say   [2Jwide wins" in text and "\x1b" not in text


def test_runs_of_one_loss_show_no_difference_of_zero() -> None:
    found = fake_study(x=("embedding_ratio", (0.25, 0.45)), y=("glu_expansion", (2, 4)), seeds=2, controls=False)
    outcomes = fake_outcomes(found, lambda arch, recipe: 2 + abs(recipe.learning_rate - 4e-3), sd=0.0)
    assert rank_study(found, outcomes).verdict == "No two cells differ: all of their runs have one loss."
