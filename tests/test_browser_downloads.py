"""Every download in a real Chromium: saved, opened, and loaded back; the page stays as it is."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from dataclasses import replace

import nbformat
from playwright.sync_api import Page, expect

from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.export.downloads import model_downloads
from slimlm.interop.hf import from_hf_config
from slimlm.serialization.design_json import request_from_text
from slimlm.solver.solver import solve
from tests.browser import chart, open_app, saved
from tests.pixels import colors_of, opened

QUERY = "?total_params=2M&vocab_size=1024&embedding_ratio=0.2&tied_lm_head=false&norm=rmsnorm&positions=rope"
REQUEST = ModelConfig(
    total_params=2_000_000, vocab_size=1024, embedding_ratio=0.2, tied_lm_head=False, norm="rmsnorm", positions="rope"
)


def is_png(data: bytes) -> bool:
    picture = opened(data)
    return picture.width >= 1600 and len(colors_of(picture)) > 50


def is_svg(data: bytes) -> bool:
    return len(list(ET.fromstring(data).iter("{http://www.w3.org/2000/svg}text"))) > 5


def is_table(data: bytes) -> bool:
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    return sum(int(row["params"]) for row in rows) == solve(REQUEST).total_params


def is_checkpoint(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert {"config.json", "model.safetensors"} <= set(packed.namelist())
        return abs(packed.getinfo("model.safetensors").file_size - 4 * solve(REQUEST).total_params) < 50_000


def is_notebook(data: bytes) -> bool:
    nbformat.validate(json.loads(data))
    return True


CHECKS: dict[str, Callable[[bytes], bool]] = {
    "png": is_png,
    "svg": is_svg,
    "csv": is_table,
    "ipynb": is_notebook,
    "zip": is_checkpoint,
    "html": lambda data: data.startswith(b"<!doctype html>") and f"{solve(REQUEST).total_params:,}".encode() in data,
    "md": lambda data: f"{solve(REQUEST).total_params:,}".encode() in data,
    "json": lambda data: request_from_text(data) == REQUEST,
}


def test_every_download_is_saved_and_opens_and_the_page_is_not_run_again(page: Page, address: str) -> None:
    open_app(page, address, QUERY)
    drawn = chart(page).text_content()
    page.get_by_role("button", name="Download", exact=True).click()
    downloads = model_downloads(solve(REQUEST))
    for download in downloads:
        name, data = saved(page, download.label)
        assert name == download.file_name
        if name == "config.json":
            assert from_hf_config(json.loads(data)) == replace(solve(REQUEST).architecture, dropout=0.0)
        else:
            assert CHECKS[name.rpartition(".")[2]](data), download.label
    assert not any(download.refusal for download in downloads)
    expect(page.get_by_role("button", name=downloads[-1].label, exact=True)).to_be_visible()
    expect(chart(page)).to_have_text(drawn or "never")


def test_every_download_of_a_published_model_is_saved_and_opens(page: Page, address: str) -> None:
    open_app(page, address, "inspect?model=gemma-3-270m")
    page.get_by_role("button", name="Download", exact=True).click()
    checks = CHECKS | {
        "csv": lambda data: b"GeGLU" in data,
        "md": lambda data: b"268,098,176" in data,
        "json": lambda data: (
            solve(request_from_text(data)).architecture == published_model("gemma-3-270m").architecture
        ),
    }
    downloads = model_downloads(published_model("gemma-3-270m"))
    assert [download.label for download in downloads if download.refusal] == ["Checkpoint, 1.07 GB (ZIP)"]
    expect(page.get_by_text("The checkpoint would have 1.07 GB, and a page builds at most 600 MB")).to_be_visible()
    for download in [download for download in downloads if not download.refusal]:
        name, data = saved(page, download.label)
        assert name == download.file_name
        if name == "config.json":
            assert from_hf_config(json.loads(data)) == published_model("gemma-3-270m").architecture
            continue
        assert name.startswith("slimlm-gemma-3-270m")
        assert checks[name.rpartition(".")[2]](data), download.label


def test_a_saved_design_is_loaded_back_and_a_broken_one_is_refused(page: Page, address: str) -> None:
    open_app(page, address, QUERY)
    page.get_by_role("button", name="Download", exact=True).click()
    _, data = saved(page, "Design (JSON)")
    open_app(page, address)
    page.get_by_role("button", name="Presets").click()
    loader = page.locator("input[type=file]")
    loader.set_input_files({"name": "design.json", "mimeType": "application/json", "buffer": data})
    expect(chart(page)).to_contain_text("Target: 2M · vocabulary 1,024 · embedding ratio 0.2")
    expect(page).to_have_url(re.compile("tied_lm_head=false"))
    broken = {**json.loads(data), "format": "**other**"}
    buffer = json.dumps(broken).encode()
    loader.set_input_files({"name": "broken.json", "mimeType": "application/json", "buffer": buffer})
    expect(page.get_by_text("this is not a design saved by slimlm")).to_be_visible()
    expect(chart(page)).to_contain_text("Target: 2M")


def test_the_report_is_shown_without_a_network(page: Page, address: str) -> None:
    open_app(page, address, QUERY)
    page.get_by_role("button", name="Download", exact=True).click()
    _, data = saved(page, "Report (HTML)")
    page.context.set_offline(True)
    page.set_content(data.decode())
    expect(page.get_by_role("heading").first).to_contain_text("parameters")
    assert page.locator("svg").count() >= 2
