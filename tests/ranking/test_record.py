"""verdict.json: what is written reads back, and what slimlm did not write is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slimlm.ranking.rank import rank_study
from slimlm.ranking.record import (
    outcomes_digest,
    ranking_from_record,
    ranking_record,
    read_ranking,
    read_verdict,
    write_ranking,
)
from slimlm.study.study import VERDICT
from tests.ranking.cases import CASES, outcomes, ranking, study
from tests.studies import fake_outcomes, write_fake


@pytest.mark.parametrize("case", CASES)
def test_a_ranking_reads_back(case: str) -> None:
    text = json.dumps(ranking_record(ranking(case)), allow_nan=False)
    assert ranking_from_record(json.loads(text)) == ranking(case)


def test_a_study_with_diverged_runs_reads_back() -> None:
    wild = fake_outcomes(study(), diverges=lambda arch, recipe: recipe.learning_rate > 4e-3)
    found = rank_study(study(), wild)
    assert found.runs_diverged
    assert ranking_from_record(json.loads(json.dumps(ranking_record(found)))) == found


def test_the_verdict_of_other_outcomes_is_not_used(tmp_path: Path) -> None:
    write_fake(tmp_path, study(), outcomes())
    assert read_ranking(tmp_path) == ranking()
    assert not (tmp_path / VERDICT).exists()
    assert write_ranking(tmp_path) == ranking() == read_verdict(tmp_path)
    marked = json.loads((tmp_path / VERDICT).read_text("utf-8"))
    marked["ranking"]["verdict"] = "kept"
    (tmp_path / VERDICT).write_text(json.dumps(marked), encoding="utf-8")
    assert read_ranking(tmp_path).verdict == "kept"
    write_fake(tmp_path, study(), dict(list(outcomes().items())[:30]))
    assert read_ranking(tmp_path).verdict.startswith("So far, 30 of")


def test_a_damaged_verdict_is_computed_again(tmp_path: Path) -> None:
    write_fake(tmp_path, study(), outcomes())
    (tmp_path / VERDICT).write_text("{", encoding="utf-8")
    assert read_ranking(tmp_path) == ranking()


def test_the_digest_depends_on_losses_and_not_on_curves() -> None:
    key, one = next(iter(outcomes().items()))
    digest = outcomes_digest(outcomes())
    assert outcomes_digest(outcomes() | {key: replace(one, metrics=())}) == digest
    assert outcomes_digest(outcomes() | {key: replace(one, loss=1.0)}) != digest
    assert outcomes_digest({name: outcomes()[name] for name in reversed(outcomes())}) == digest


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        (["verdict"], 3, r"^ranking\.verdict=3 is no str: what slimlm wrote would work$"),
        (["remarks"], "text", r'^ranking\.remarks="text" is no tuple'),
        (["remarks", 0], None, r"^ranking\.remarks\[0\]=null is no str"),
        (["cells", 0, "mean"], "low", r'^ranking\.cells\[0\]\.mean="low" is no float'),
        (["cells", 0, "mean"], True, r"^ranking\.cells\[0\]\.mean=true is no float"),
        (["cells", 0, "mean"], 10**400, r"^ranking\.cells\[0\]\.mean=100.* is no float"),
        (["cells", 0, "ranks"], [1], r"^ranking\.cells\[0\]\.ranks=\[1\] is no tuple"),
        (["cells", 0, "ranks"], [1, 2.5], r"^ranking\.cells\[0\]\.ranks\[1\]=2\.5 is no int"),
        (["cells", 0, "rate", "origin"], "guessed", r'^ranking\.cells\[0\]\.rate\.origin="guessed" is no '),
        (["cells", 0, "rate", "search", "losses"], {"low": 1.0}, r"^ranking\.cells\[0\]\.rate\.search\.losses={"),
        (["controls", 0, "figures"], {"tau": []}, r'^ranking\.controls\[0\]\.figures\."tau"=\[\] is no float'),
        (["controls", 0], {"key": "again"}, r"^ranking\.controls\[0\]={.* is no Control"),
    ],
)  # fmt: skip
def test_what_slimlm_does_not_write_is_refused(path: list[Any], value: Any, match: str) -> None:
    record = json.loads(json.dumps(ranking_record(ranking())))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=match):
        ranking_from_record(record)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", r"^verdict\.json is of the format \[\]: slimlm-verdict-1 would work$"),
        ('{"format": "other"}', r'^verdict\.json is of the format "other": slimlm-verdict-1 would work$'),
        ('{"format": "slimlm-verdict-1"}', r"^ranking=null is no Ranking: what slimlm wrote would work$"),
        ("{", r"^verdict\.json is not JSON"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / VERDICT).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        read_verdict(tmp_path)
