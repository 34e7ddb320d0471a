"""README: short, and true about the tree."""

import re

from slimlm.interop.hf import FAMILIES
from slimlm.interop.layered import LAYERED
from slimlm.ranking.shipped import shipped_studies
from tests.import_table import ALLOWED
from tests.server import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def layout() -> list[str]:
    """Return the paths that the layout section lists, in order."""
    section = TEXT.partition("## Layout\n")[2]
    return re.findall(r"^    (\S+?),? ", section, flags=re.MULTILINE)


def test_the_layout_lists_every_package_in_the_order_of_the_import_table() -> None:
    packages = [f"slimlm/{name}/" for name in ALLOWED if (ROOT / "slimlm" / name).is_dir()]
    assert layout() == ["app.py", *packages, "tests/"]
    assert {f"slimlm/{path.parent.name}/" for path in (ROOT / "slimlm").glob("*/__init__.py")} == set(packages)


def test_every_path_that_it_names_exists() -> None:
    named = re.findall(r"`((?:slimlm|tests|pages|\.streamlit)/[\w./]+)`|\]\(([\w./-]+)\)", TEXT)
    assert len(named) >= 4
    assert not [path for pair in named for path in pair if path and not (ROOT / path).exists()]


def test_it_names_every_page_and_is_short() -> None:
    for page in ("Design", *(path.stem.capitalize() for path in (ROOT / "pages").glob("*.py"))):
        assert f"* **{page}**" in TEXT
    assert len(TEXT.splitlines()) < 150


def test_what_it_says_of_the_shipped_study_is_what_the_study_says() -> None:
    first, *_ = shipped_studies()
    said = " ".join(TEXT.split())
    assert first.ranking.answer in said
    passed = {control.key: control for control in first.ranking.controls}
    assert "Four control cells keep their order under the second recipe and at a quarter of the tokens" in said
    for key in ("second_recipe", "second_horizon"):
        assert "the order of 4 cells agrees with that of the ranking with Kendall τ = 1.00" in passed[key].sentence
    assert first.study.request.second_horizon == 0.25


def test_it_counts_the_model_types_that_are_read() -> None:
    assert f"config.json ({len(FAMILIES)} model types" in TEXT
    assert f"Inspect counts {len(LAYERED)} more, layer by layer" in TEXT
