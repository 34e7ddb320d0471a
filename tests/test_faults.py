"""Faults of the machine: packages missing or broken, disks full or closed. One sentence each, and nothing is lost."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

import slimlm
from slimlm.charts.allocation import allocation_chart
from slimlm.cli.main import main
from slimlm.compare.comparison import Comparison
from slimlm.compare.presets import STARTS, start_pins
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.costs import CostSettings
from slimlm.export.card import design_card
from slimlm.export.comparison_downloads import comparison_html
from slimlm.export.downloads import html_report
from slimlm.export.notebooks import mimebundle
from slimlm.export.pictures import picture
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import export_pretrained, from_pretrained, save_pretrained
from slimlm.solver.solver import solve
from slimlm.utils import optional
from slimlm.utils.files import replacing
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
    for report in (html_report(design), comparison_html(Comparison(start_pins(next(iter(STARTS))), 0, CostSettings()))):
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
    design = solve(ModelConfig())
    sentence = (
        r"^the picture could not be drawn by vl-convert-python: Vega-Lite to Vega conversion failed: out of memory$"
    )
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
    "pages/inspect.py": 2,
    "pages/sweep.py": 1,
    "pages/compare.py": 2,
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
    told = [
        info.value for info in app.info if info.value.startswith("The PyTorch model needs torch, which does not load")
    ]
    assert len(told) == (page != "pages/compare.py")
    assert [warning.value for warning in app.warning if "A picture needs vl" in warning.value]
    buttons = {button.proto.label: button.proto.disabled for button in app.get("download_button")}
    assert {disabled for label, disabled in buttons.items() if "(PNG)" in label or "(SVG)" in label} == {True}
    assert {disabled for label, disabled in buttons.items() if "(PNG)" not in label and "(SVG)" not in label} == {False}


def test_a_page_with_everything_offers_every_picture() -> None:
    app = opened("pages/inspect.py")
    assert not any(button.proto.disabled for button in app.get("download_button"))
    assert not [warning.value for warning in app.warning if "picture" in warning.value]


# Files.


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every write beyond a size fail, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("existing", [None, "old"])
def test_a_sweep_that_does_not_fit_on_the_disk_leaves_the_old_file_and_no_other(
    existing: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.csv"
    if existing:
        output.write_text(existing)
    with files_of_at_most(1_000):
        assert main(["sweep", "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"slimlm: {output} cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("grid.csv", "old")] * bool(existing)


@pytest.mark.parametrize(("save", "arch"), [(save_pretrained, TINY), (export_pretrained, GPT2)])
def test_a_model_that_does_not_fit_on_the_disk_leaves_the_old_one_whole(
    save: Callable[..., Path], arch: Architecture, tmp_path: Path
) -> None:
    model = LanguageModel(arch)
    save(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        files_of_at_most(4_000),
        pytest.raises(OSError, match=r"^folder='.+' cannot be written: .+; another folder would"),
    ):
        save(LanguageModel(arch), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_model_cannot_be_saved_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be written: Not a directory; another folder would work$"):
        save_pretrained(LanguageModel(TINY), tmp_path / "file" / "model")


def test_a_saved_model_is_written_over_by_the_next(tmp_path: Path) -> None:
    save_pretrained(LanguageModel(TINY), tmp_path)
    assert from_pretrained(save_pretrained(LanguageModel(GPT2), tmp_path)).architecture == GPT2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "slimlm.json"]


def test_a_file_that_is_read_only_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.csv"
    output.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # who runs the tests may write everything
    assert main(["sweep", "-o", str(output)]) == 2
    assert capsys.readouterr().err == f"slimlm: {output} cannot be written: the file is read-only\n"
    assert output.read_text() == "old"


def test_a_replaced_file_keeps_its_mode_and_links_to_it(tmp_path: Path) -> None:
    old, link = tmp_path / "old", tmp_path / "link"
    old.write_text("old")
    old.chmod(0o640)
    link.symlink_to(old)
    with replacing(link) as part:
        part.write_text("new")
    assert (old.read_text(), old.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_device_is_written_and_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "-o", "/dev/full"]) == 2
    assert capsys.readouterr().err == f"slimlm: /dev/full cannot be written: {os.strerror(errno.ENOSPC)}\n"
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(("redirect", "code", "told"), [(">/dev/full", 2, "the output cannot be used"), (">&-", 0, "")])
def test_an_output_that_takes_nothing_is_no_traceback(redirect: str, code: int, told: str) -> None:
    command = f"{sys.executable} -m slimlm design 10M {redirect}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr == (f"slimlm: {told}: {os.strerror(errno.ENOSPC)}\n" if told else "")


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
