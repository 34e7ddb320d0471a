"""The explorer in a real JupyterLab: a slider is dragged, the chart moves along, and the next cell has its design."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import nbformat
import pytest
from playwright.sync_api import Page, expect

from tests.browser import PATIENCE_MS
from tests.server import ROOT, free_port, wait_until_answered

CELLS = (
    "import slimlm\nexplorer = slimlm.explore()\nexplorer",
    "print(explorer.design.title)\nprint(explorer.link())",
)
QUIET = {"checkForUpdates": False, "doNotDisturbMode": True, "fetchNews": "false"}


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[str]:
    """Return the address of a notebook in a JupyterLab that knows nothing of the user's settings."""
    written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])  # type: ignore[no-untyped-call]
    written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(written, tmp_path / "explore.ipynb")  # type: ignore[no-untyped-call]
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    port = free_port()
    options = [f"--ServerApp.port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    homes = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    homes |= {"JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"), "PYTHONPATH": str(ROOT)}
    with TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", *options],
            stdout=log,
            stderr=log,
            env=os.environ | homes,
        )
        try:
            wait_until_answered(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}/lab/tree/explore.ipynb"
        finally:
            server.terminate()
            server.wait()


def test_dragging_a_slider_moves_the_chart_and_the_design(fresh: Page, notebook: str) -> None:
    fresh.goto(notebook)
    first, second = (fresh.locator(".jp-CodeCell").nth(index) for index in (0, 1))
    # A cell that is run before the kernel is there is not run at all.
    expect(fresh.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible(timeout=PATIENCE_MS)
    first.locator(".cm-content").click(timeout=PATIENCE_MS)
    fresh.keyboard.press("Shift+Enter")
    chart = first.locator("svg.marks")
    expect(chart).to_contain_text("10.05M parameters")
    expect(first).to_contain_text("The GLU expansion is 5.3 % below its target")
    total = first.locator(".widget-slider", has_text="Total parameters")
    handle = total.locator(".noUi-handle")
    box = handle.bounding_box()
    assert box
    fresh.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    fresh.mouse.down()
    fresh.mouse.move(box["x"] + 60, box["y"] + box["height"] / 2, steps=4)
    expect(chart).not_to_contain_text("10.05M parameters")  # while the mouse is held
    fresh.mouse.up()
    asked = total.locator(".widget-readout").inner_text()
    expect(chart).to_contain_text(f"Target: {asked} ")
    drawn = chart.text_content() or ""
    second.locator(".cm-content").click()
    fresh.keyboard.press("Shift+Enter")
    expect(second.locator(".jp-OutputArea-output")).to_contain_text("http://localhost:8501/?total_params=" + asked)
    title = second.locator(".jp-OutputArea-output").inner_text().splitlines()[0]
    assert title in drawn
