"""The command that opens the page: where it finds the page, and what it passes on to Streamlit."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from slimlm.cli import app
from slimlm.cli.main import main
from tests.server import ROOT, free_port, wait_until_answered


class ReplacedError(Exception):
    """Raised in place of a process that would have been replaced."""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that would have replaced this process."""
    found: list[list[str]] = []

    def replace(program: str, command: list[str]) -> None:
        assert program == command[0] == sys.executable
        found.append(command[1:])
        raise ReplacedError

    monkeypatch.setattr(os, "execv", replace)
    return found


def checkout(folder: Path) -> Path:
    """Make a folder that has the parts of a checkout."""
    for part in ("app.py", "pages/inspect.py", "slimlm/cli/app.py", ".streamlit/config.toml"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    return folder


def test_every_option_is_passed_on_in_its_order(commands: list[list[str]]) -> None:
    options = ["--server.port", "8502", "--server.headless=true", "--", "more", "-v"]
    with pytest.raises(ReplacedError):
        main(["app", *options])
    assert commands == [["-P", "-m", "streamlit", "run", str(ROOT / "app.py"), *options]]


def test_an_installed_package_opens_the_checkout_in_the_current_folder(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "__file__", str(tmp_path / "packages" / "slimlm" / "cli" / "app.py"))
    monkeypatch.chdir(checkout(tmp_path / "source"))
    with pytest.raises(ReplacedError):
        main(["app"])
    assert commands == [["-P", "-m", "streamlit", "run", str(tmp_path / "source" / "app.py")]]


@pytest.mark.parametrize("part", ["app.py", "pages", "slimlm", ".streamlit/config.toml"])
def test_a_folder_that_lacks_a_part_is_not_a_checkout(
    part: str,
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(app, "__file__", str(checkout(tmp_path) / "slimlm" / "cli" / "app.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / part).rename(tmp_path / "elsewhere")
    assert (main(["app"]), commands) == (2, [])
    assert capsys.readouterr().err == (
        "slimlm: the page is not part of the installed package; "
        "`slimlm app` in a checkout of slimlm's repository would work\n"
    )


def test_without_streamlit_the_page_is_refused_in_a_sentence(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    assert (main(["app"]), commands) == (2, [])
    expected = "slimlm: the page needs streamlit, which is not installed; `pip install streamlit` would work\n"
    assert capsys.readouterr().err == expected


def test_the_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["app", "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: slimlm app [OPTION ...]\n")
    assert "are passed to Streamlit" in " ".join(shown.split())


def test_no_other_command_passes_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["published", "--server.port", "8502"])
    assert capsys.readouterr().err.endswith("slimlm: error: unrecognized arguments: --server.port 8502\n")


def test_the_page_opens_from_another_folder_with_the_settings_of_the_checkout(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "slimlm", "app", "--server.port", str(port), "--server.headless", "true"]
    server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        wait_until_answered(f"http://127.0.0.1:{port}/_stcore/health", server)
        listens = [found for found in psutil.Process(server.pid).net_connections() if found.status == "LISTEN"]
        assert {(found.laddr.ip, found.laddr.port) for found in listens} == {("127.0.0.1", port)}
    finally:
        server.terminate()
        server.wait()
