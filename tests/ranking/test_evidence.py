"""Shipped studies, and the evidence nearest to a design."""

import subprocess
import sys
from pathlib import Path

import pytest

from slimlm import ModelConfig, solve
from slimlm.ranking.evidence import FARTHEST, evidence_for
from slimlm.ranking.record import write_ranking
from slimlm.ranking.shipped import SHIPPED, shipped_studies
from tests.ranking.cases import outcomes, ranking, study
from tests.studies import write_fake

ANSWER = "embedding ratio 0.35 and 0.45 may be best (6 of 12 cells); 0.25 is worse by 0.142 ± 0.018 bits per byte"
MEASURED = f"Measured at 1M parameters, 4k vocabulary, 250k tokens: {ANSWER}"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    home = folder / "first"
    write_fake(home, study(), outcomes())
    write_ranking(home)
    (folder / "empty").mkdir()
    return folder


def test_no_folder_has_no_studies(tmp_path: Path) -> None:
    assert shipped_studies(tmp_path / "none") == ()
    assert evidence_for(solve(ModelConfig()), tmp_path / "none") is None
    assert all(one.ranking.complete for one in shipped_studies(SHIPPED))


def test_a_shipped_study_says_what_its_records_say(shipped: Path) -> None:
    (one,) = shipped_studies(shipped)
    assert (one.name, one.ranking, one.outcomes) == ("first", ranking(), outcomes())
    assert one.study.to_record() == study().to_record()


def test_a_design_of_the_size_of_the_study(shipped: Path) -> None:
    design = solve(ModelConfig(total_params=1_000_000, vocab_size=4096, embedding_ratio=0.4))
    found = evidence_for(design, shipped)
    assert found == evidence_for(design.account, shipped)
    assert found is not None
    assert found.sentence == f"{MEASURED}; this design has that size."
    assert (found.study, found.extrapolated) == ("first", False)


def test_a_larger_design_is_extrapolated(shipped: Path) -> None:
    found = evidence_for(solve(ModelConfig(total_params=10_000_000, vocab_size=4096, embedding_ratio=0.3)), shipped)
    assert found is not None
    assert found.sentence == f"{MEASURED}; this design is 10 × larger: extrapolated."
    assert found.extrapolated
    assert found.size_factor == pytest.approx(10, rel=0.02)


def test_a_design_outside_the_axes_says_so(shipped: Path) -> None:
    found = evidence_for(solve(ModelConfig(total_params=10_000_000, vocab_size=16_384, embedding_ratio=0.1)), shipped)
    assert found is not None
    assert "this design is 10 × larger and has a vocabulary 4 × larger and has embedding ratio 0." in found.sentence
    assert found.sentence.endswith(", outside 0.25 to 0.45: extrapolated.")


def test_a_design_that_is_too_far_away_has_no_evidence(shipped: Path) -> None:
    near, far = int(0.9e6 * FARTHEST), int(1.2e6 * FARTHEST)
    assert evidence_for(solve(ModelConfig(total_params=near, vocab_size=32_000)), shipped)
    assert evidence_for(solve(ModelConfig(total_params=far, vocab_size=32_000)), shipped) is None


def test_a_study_without_an_answer_is_no_evidence(tmp_path: Path) -> None:
    write_fake(tmp_path / "part", study(), dict(list(outcomes().items())[:20]))
    write_ranking(tmp_path / "part")
    assert len(shipped_studies(tmp_path)) == 1
    assert evidence_for(solve(ModelConfig()), tmp_path) is None


def test_evidence_needs_neither_numpy_nor_scipy(shipped: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from slimlm import ModelConfig, solve\n"
        "from slimlm.ranking.evidence import evidence_for\n"
        f"assert evidence_for(solve(ModelConfig()), Path({str(shipped)!r}))\n"
        "assert not {'numpy', 'scipy', 'torch'} & sys.modules.keys()"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
