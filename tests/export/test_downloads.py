"""Exports: the programs that files are meant for read the same design back."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from safetensors.torch import load

from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.families import family
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.table import format_param_table
from slimlm.export import DOWNLOADS, NAMED_MODEL_DOWNLOADS, notebooks
from slimlm.export.downloads import Download, components_csv, design_json, file_name, model_downloads
from slimlm.export.generic_downloads import GenericDownload
from slimlm.export.notebooks import mimebundle, notebook
from slimlm.export.report_markdown import markdown
from slimlm.interop.hf import to_hf_config
from slimlm.model.language_model import LanguageModel
from slimlm.serialization.design_json import request_from_record
from slimlm.solver import alternatives as alternatives_module
from slimlm.solver.alternatives import Alternative
from slimlm.solver.solver import solve
from tests.models import ARCHITECTURES
from tests.models import REQUESTS as STRUCTURED
from tests.pixels import colors_of, opened

REQUESTS = {
    "default": ModelConfig(),
    "untied": ModelConfig(total_params=125_000_000, vocab_size=32_000, tied_lm_head=False),
    "auto": ModelConfig(n_heads="auto", positions="rope", n_kv_heads=2),
    **STRUCTURED,
}
every_request = pytest.mark.parametrize("name", REQUESTS)
every_named_model = pytest.mark.parametrize("name", ARCHITECTURES)


def design_of(name: str) -> Design:
    return solve(REQUESTS[name])


def named_model_of(name: str) -> NamedModel:
    return NamedModel(name, ARCHITECTURES[name], "From a test")


def test_files_of_a_named_model_have_its_name() -> None:
    assert file_name(NamedModel("a/b: c", ARCHITECTURES["gpt2"], ""), "-profile.svg") == "slimlm-a-b-c-profile.svg"


def test_a_report_of_a_named_model_has_its_remarks() -> None:
    remarks = ("dim is no key of llama, and is not read", "hidden_size 4,096 is a default of llama, not in the config")
    model = NamedModel("mine", ARCHITECTURES["gpt2"], "From a config.json", remarks)
    assert f"\n\nFrom a config.json.\n\n* {remarks[0]}\n* {remarks[1]}\n\n" in markdown(model).replace("\\", "")


def test_file_names_hold_safe_characters_alone() -> None:
    assert file_name(design_of("default"), ".png") == "slimlm-10.05M-12x216.png"
    assert file_name(design_of("default"), "/../é.md") == "slimlm-10.05M-12x216-..-.md"


@every_request
def test_csv_is_read_back_and_its_columns_add_up(name: str) -> None:
    check_csv(design_of(name))


@every_named_model
def test_csv_of_a_named_model_is_read_back_and_its_columns_add_up(name: str) -> None:
    check_csv(named_model_of(name))


def check_csv(design: Subject) -> None:
    text = components_csv(design)
    assert text.isascii()
    assert text.count("\r\n") == text.count("\n") == 8
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["key"] for row in rows] == [part.key for part in design.account.components]
    assert sum(int(row["params"]) for row in rows) == design.total_params
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-12)
    for row in rows:
        assert int(row["copies"]) * int(row["params_per_copy"]) == int(row["params"])
        shapes = [shape.split(" ")[1].split("x") for shape in row["shapes"].split("; ") if shape]
        assert sum(prod(map(int, shape)) for shape in shapes) == int(row["params_per_copy"])


@every_request
def test_json_is_loaded_back_as_the_same_design(name: str) -> None:
    text = design_json(design_of(name))
    assert text.startswith('{\n  "format": "slimlm-design-1"')
    assert solve(request_from_record(json.loads(text))) == design_of(name)


@every_named_model
def test_json_of_a_named_model_is_loaded_as_a_design_of_the_same_shape(name: str) -> None:
    record = json.loads(design_json(named_model_of(name)))
    assert (record["name"], record["origin"]) == (name, "From a test")
    assert solve(request_from_record(record)).architecture == ARCHITECTURES[name]


def cells_of(design: Design) -> Any:
    written = nbformat.reads(notebook(design), as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(written)
    return written


def test_the_notebook_of_a_large_design_takes_no_memory_for_its_weights() -> None:
    small, large = cells_of(design_of("untied")), cells_of(solve(ModelConfig(total_params=3_000_000_000)))
    assert 'device="cpu"' in small.cells[-1].source
    names: dict[str, Any] = {}
    exec(large.cells[1].source, names)
    source: str = large.cells[-1].source
    assert 'device="meta"' in source
    exec(source.removesuffix("logits.shape"), names)
    assert names["logits"].shape == (1, 32, 16_000)


def test_a_notebook_shows_a_design_as_text_and_as_a_chart_over_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    design = design_of("default")
    shown = mimebundle(design)
    assert shown.keys() == {"text/plain", "text/html"}
    assert shown["text/plain"] == format_param_table(design)
    assert shown["text/html"].index("<svg ") < shown["text/html"].index("<table ")
    assert "http" not in shown["text/html"]

    def missing(*_: object, **__: object) -> str:
        raise RuntimeError("no converter")

    monkeypatch.setattr(notebooks, "inline_svg", missing)
    assert "<svg " not in mimebundle(design)["text/html"]
    assert "10,047,024" in mimebundle(design)["text/html"]


SUBJECTS: list[Subject] = [*map(design_of, REQUESTS), *map(named_model_of, ARCHITECTURES)]
DRAWN: list[Subject] = [design_of("untied"), named_model_of("gpt2")]
"""Subjects whose pictures are built here; the tests of the charts and the cards draw those of every structure."""


@pytest.mark.parametrize(
    ("subject", "download"),
    [
        pytest.param(subject, download, id=download.file_name)
        for subject in SUBJECTS
        for download in model_downloads(subject)
        if not download.refusal
        and (download.mime != "application/zip" or subject.total_params < 20_000_000)
        and (not download.mime.startswith("image/") or subject in DRAWN)
    ],
)
def test_every_download_builds_what_its_name_says(subject: Subject, download: Download) -> None:
    built = download.build()
    content = built.encode() if isinstance(built, str) else built
    if download.mime == "image/png":
        image = opened(content)
        assert image.width in (1600, 1920)
        assert len(colors_of(image)) > 20
    elif download.mime == "image/svg+xml":
        assert ET.fromstring(content).tag.endswith("svg")
    elif "json" in download.mime:
        json.loads(content)
    elif download.mime == "application/zip":
        check_checkpoint(content, subject)
    else:
        assert f"{subject.account['ffn'].params}" in content.decode().replace(",", "")


def check_checkpoint(content: bytes, subject: Subject) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.namelist() == ["README.md", "config.json", "generation_config.json", "model.safetensors"]
        assert json.loads(packed.read("config.json")) == to_hf_config(subject.architecture)
        weights = load(packed.read("model.safetensors"))
    assert sum(weight.numel() for weight in weights.values()) == subject.total_params


def test_transformers_loads_the_checkpoint_of_a_download(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    design = solve(family("llama", 200_000, vocab_size=512))
    content = next(found for found in model_downloads(design) if found.mime == "application/zip").build()
    assert isinstance(content, bytes)
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    ours = LanguageModel(design).eval()
    ours.reset_parameters(seed=0)
    ids = torch.arange(32).repeat(2, 1)
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, ours(ids)[0], rtol=0, atol=1e-4)


def test_the_label_of_a_checkpoint_says_its_size_and_a_large_one_names_the_command() -> None:
    small, large = (model_downloads(solve(family("llama", total)))[1] for total in (10_000_000, 10**9))
    assert (small.label, small.refusal) == ("Checkpoint, 40.2 MB (ZIP)", "")
    assert large.refusal.startswith("The checkpoint would have 4.02 GB, and a page builds at most 600 MB; `python -m ")
    assert large.refusal.endswith("FOLDER` writes it.")


def test_a_mix_without_a_class_names_the_choices_that_have_one() -> None:
    refused = model_downloads(design_of("default"))[0]
    assert refused.label == "Config (config.json)"
    assert refused.refusal == (
        "No Hugging Face class that slimlm can write fits this mix. Switch to Llama (RMSNorm + RoPE) or GPT-2 "
        "(GELU MLP + biases on every projection)."
    )


def test_downloads_have_labels_names_and_help_of_their_own() -> None:
    downloads = model_downloads(design_of("default"))
    names = {download.file_name for download in downloads}
    assert len(names) == len({download.label for download in downloads}) == len(downloads) == 18
    assert names - {"config.json"} == {name for name in names if name.startswith("slimlm-10.05M-12x216")}
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+", name) for name in names)
    assert all(download.help.endswith(".") for download in downloads)


@pytest.mark.parametrize(
    ("generic", "subject"),
    [(DOWNLOADS, design_of("auto")), (NAMED_MODEL_DOWNLOADS, named_model_of("llama"))],
    ids=["design", "named model"],
)
def test_generic_downloads_build_the_files_of_any_model(generic: tuple[GenericDownload, ...], subject: Subject) -> None:
    listed = {found.label: found for found in model_downloads(subject)}
    assert [found.label for found in generic if found.label not in listed] == []
    for found in generic:
        own = listed[found.label]
        assert (file_name(subject, found.suffix), found.mime) == (own.file_name, own.mime)
        assert found.build(subject) == own.build()
    assert {"-allocation.png", "-profile.svg", ".md", ".csv", ".json"} <= {found.suffix for found in generic}


def test_alternatives_are_searched_once_for_all_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    designs: list[Design] = []
    search = alternatives_module._candidates

    def counted(design: Design) -> Iterator[Alternative]:
        designs.append(design)
        return search(design)

    monkeypatch.setattr(alternatives_module, "_candidates", counted)
    design = solve(ModelConfig(total_params=11_234_567))
    for download in model_downloads(design):
        if not download.refusal:
            download.build()
    assert designs == [design]


def test_a_notebook_is_shown_the_table_and_the_chart() -> None:
    shown = solve(ModelConfig())._repr_mimebundle_()
    assert shown["text/plain"] == format_param_table(solve(ModelConfig()))
    assert "<svg" in shown["text/html"]
    assert "10,047,024" in shown["text/html"]
