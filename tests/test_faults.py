"""Faults of the machine: packages missing or broken, disks full or closed. One sentence each, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

import slimlm
from slimlm.charts.allocation import allocation_chart
from slimlm.cli.main import main
from slimlm.compare.comparison import Comparison
from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.costs import CostSettings
from slimlm.export import pictures
from slimlm.export.card import design_card
from slimlm.export.comparison_tables import comparison_html
from slimlm.export.notebooks import mimebundle
from slimlm.export.pictures import picture
from slimlm.export.report_html import html_report
from slimlm.solver.solver import solve
from slimlm.utils import optional
from slimlm.utils.optional import PackageError, need

ROOT = Path(__file__).parent.parent
BROKEN = "does not load (OSError: libtorch_cpu.so: cannot open shared object file)"
TINY = Architecture(d_model=16, d_ff=32, n_layers=2, n_heads=2, vocab_size=64, max_seq_length=8)
GPT2 = Architecture(d_model=16, d_ff=64, n_layers=2, n_heads=2, vocab_size=64, max_seq_length=8, ffn="gelu", bias="all")


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def with_broken_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "_broken", {"torch": BROKEN})


# Packages.


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("LanguageModel", "torch"),
        ("SwiGLU", "torch"),
        ("probe", "torch"),
        ("probe", "psutil"),
        ("save_pretrained", "safetensors"),
        ("from_pretrained", "torch"),
    ],
)
def test_a_public_name_says_which_package_it_needs(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, package)
    sentence = rf"^slimlm\.{name} needs {package}, which is not installed; `pip install {package}` would work$"
    with pytest.raises(PackageError, match=sentence) as caught:
        getattr(slimlm, name)
    assert isinstance(caught.value, ImportError)


def test_a_package_that_breaks_on_import_is_told_with_its_reason_and_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "_broken", {})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slimlm_broken.py").write_text("raise OSError('lib.so:\\n  no such file')")
    sentence = r"^a thing needs slimlm_broken, which does not load \(OSError: lib\.so: no such file\); reinstalling it"
    with pytest.raises(PackageError, match=sentence):
        need("a thing", "json", "slimlm_broken")
    (tmp_path / "slimlm_broken.py").write_text("")
    with pytest.raises(PackageError, match=sentence):
        need("a thing", "slimlm_broken")


def test_a_package_that_lacks_one_of_its_own_is_broken_and_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "_broken", {})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slimlm_halved.py").write_text("import slimlm_other_half")
    with pytest.raises(
        PackageError, match=r"does not load \(ModuleNotFoundError: No module named 'slimlm_other_half'\)"
    ):
        need("a thing", "slimlm_halved")


def test_the_command_line_designs_and_sweeps_without_torch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_broken_torch(monkeypatch)
    assert main(["design", "10M"]) == 0
    assert main(["sweep"]) == 0
    capsys.readouterr()
    assert main(["design", "10M", "--probe"]) == 2
    assert capsys.readouterr() == (
        "",
        f"slimlm: --probe needs torch, which {BROKEN}; reinstalling it would work\n",
    )
    assert main(["sweep", "--measure"]) == 2
    assert capsys.readouterr().err.startswith("slimlm: --measure needs torch, which does not load")


FRESH = """
import importlib.abc, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            raise OSError("libtorch_cpu.so: cannot open shared object file")
sys.meta_path.insert(0, Finder())
from slimlm.__main__ import main
assert main(["design", "10M"]) == 0
sys.exit(main(["design", "10M", "--probe"]))
"""


def test_in_a_fresh_interpreter_torch_that_does_not_load_is_one_sentence_and_exit_code_2() -> None:
    done = subprocess.run([sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "10,047,024" in done.stdout
    assert done.stderr == f"slimlm: --probe needs torch, which {BROKEN}; reinstalling it would work\n"


# Pictures.


def test_documents_without_a_picture_converter_have_a_sentence_for_each_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "vl_convert")
    design = solve(ModelConfig())
    sentence = "A chart belongs here: a picture needs vl-convert-python, which is not installed"
    for report in (
        html_report(design),
        comparison_html(Comparison(preset_pins(next(iter(COMPARISON_PRESETS))), 0, CostSettings())),
    ):
        assert report.count(sentence) == 2
        assert "<table" in report
        assert "<svg" not in report
    assert "10,047,024" in mimebundle(design)["text/html"]


def test_a_converter_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import vl_convert

    def fail(*_: object, **__: object) -> str:
        raise ValueError("Vega-Lite to Vega conversion failed:\n  out of memory")

    for function in ("vegalite_to_svg", "vegalite_to_png", "svg_to_png"):
        monkeypatch.setattr(vl_convert, function, fail)
    pictures.svg_of.cache_clear()
    design = solve(ModelConfig())
    sentence = r"^vl-convert-python failed to draw the picture: Vega-Lite to Vega conversion failed: out of memory$"
    with pytest.raises(RuntimeError, match=sentence):
        picture(allocation_chart(design), format="png")
    with pytest.raises(RuntimeError, match=sentence):
        design_card(design)
    assert "<svg" not in mimebundle(design)["text/html"]


def test_a_notebook_without_charts_shows_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "slimlm.export.notebooks")
    assert solve(ModelConfig())._repr_mimebundle_().keys() == {"text/plain"}


# Pages.


def opened(page: str = "app.py", **query: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if page != "app.py":
        app.switch_page(page)
    app.query_params.update(query)
    return app.run()


PAGES = {
    "app.py": 3,
    "pages/inspect.py": 3,
    "pages/sweep.py": 1,
    "pages/compare.py": 3,
}
"""Each page with how many charts it has."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_torch_and_pictures_shows_all_else_and_says_why(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_broken_torch(monkeypatch)
    without(monkeypatch, "vl_convert")
    app = opened(page, pin=["model~gpt2", "model~Qwen3-0.6B"])
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == PAGES[page]
    told = [info.value for info in opened(page, pin="model~gpt2", tab="pytorch-check").info]
    told = [text for text in told if text.startswith("The PyTorch model needs torch, which does not load")]
    assert len(told) == (page != "pages/compare.py")
    assert [warning.value for warning in app.warning if "A picture needs vl" in warning.value]
    buttons = {button.proto.label: button.proto.disabled for button in app.get("download_button")}
    assert {disabled for label, disabled in buttons.items() if "(PNG)" in label or "(SVG)" in label} == {True}
    assert {disabled for label, disabled in buttons.items() if "(PNG)" not in label and "(SVG)" not in label} == {False}


def test_a_page_with_everything_offers_every_picture() -> None:
    app = opened("pages/inspect.py")
    assert not any(button.proto.disabled for button in app.get("download_button"))
    assert not [warning.value for warning in app.warning if "picture" in warning.value]


# The server's settings.


@pytest.mark.parametrize(
    ("option", "value"),
    {
        "server.address": "localhost",
        "server.allowedHosts": ["localhost", "127.0.0.1"],
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.xsrfCookieSameSite": "lax",
        "server.maxUploadSize": 5,
        "server.maxMessageSize": 50,
        "server.maxCacheDataSize": "100mb",
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
    }.items(),
)
def test_the_server_is_safe_by_default(option: str, value: object) -> None:
    config.get_config_options()
    assert config.get_option(option) == value
