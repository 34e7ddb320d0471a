"""The Inspect page and the command inspect on models whose layers differ."""

import json
from pathlib import Path

import pytest

from slimlm.cli.main import main
from slimlm.export.layered_downloads import layered_downloads, layered_markdown, layers_csv
from slimlm.interop.layered import layered_model
from slimlm.serialization.layered_links import write_layered
from tests.interop.test_layered import QWEN3_5_27B
from tests.test_app import shown
from tests.test_inspect import metrics, opened, paste, said

LFM2_1_2B = {
    "model_type": "lfm2",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "block_ff_dim": 12288,
    "full_attn_idxs": [2, 5, 8, 10, 12, 14],
    "num_experts_of_mine": 3,
}
WRAPPED = {"model_type": "qwen3_5", "text_config": QWEN3_5_27B, "vision_config": {"depth": 27}}


def test_a_hybrid_is_counted_with_its_remarks_first_and_a_link_that_shows_it_again() -> None:
    page = opened()
    paste(page, json.dumps(LFM2_1_2B))
    assert not page.exception and not page.error
    assert metrics(page)["Total parameters"] == ("1.170B", "1,170,340,608")
    assert metrics(page)["KV cache per token"] == ("12.3 kB", "in 6 of 16 layers")
    assert metrics(page)["PyTorch check"][0] == "not built"
    assert "num_experts_of_mine is no key of lfm2, and is not read" in said(page)
    assert "Counted: 1,170,340,608 parameters. slimlm counts models whose layers differ" in said(page)
    again = opened(architecture=page.query_params["architecture"])
    assert metrics(again) == metrics(page) and not again.error


def test_the_text_part_of_a_wrapper_is_counted_by_itself() -> None:
    page = opened()
    paste(page, json.dumps(WRAPPED))
    assert metrics(page)["Total parameters"] == ("26.90B", "26,895,998,464")
    assert "text_config of qwen3_5 is read by itself" in said(page)


@pytest.mark.parametrize("tab", ["", "shape", "costs"])
def test_every_section_is_drawn(tab: str) -> None:
    page = opened(architecture=write_layered(layered_model(QWEN3_5_27B, "Qwen3.5-27B")), tab=tab)
    assert not page.exception and not page.error
    assert {"shape": "| Gated DeltaNet |", "costs": "16 of 64 layers keep keys and values"}.get(tab, "") in said(page)


def test_a_model_with_windows_says_what_they_keep() -> None:
    page = opened(architecture=write_layered(layered_model({"model_type": "gpt_oss"}, "gpt-oss-120b")), tab="costs")
    assert not page.exception and not page.error
    assert metrics(page)["Total parameters"] == ("116.8B", "5.712B active a token")
    assert metrics(page)["KV cache per token"] == ("73.7 kB", "in 36 of 36 layers, 18 of windows")
    assert "18 layers of windows keep at most 128 of them" in said(page)


def test_a_link_that_is_wrong_brings_a_sentence() -> None:
    page = opened(architecture='layers~model_type-"lfm2"~hidden_size-0')
    assert not page.exception and "hidden_size=0 is not allowed" in shown(page.error[0].value)


def test_every_download_is_built() -> None:
    model = layered_model(QWEN3_5_27B, "Qwen3.5/27B")
    found = layered_downloads(model)
    assert len({download.file_name for download in found}) == len(found) == 6
    assert all(download.build() and "/" not in download.file_name for download in found)
    lines = layers_csv(model).splitlines()
    assert len(lines) == 65 and lines[1].startswith("1,gated DeltaNet,0,")
    assert "| KV cache per token | 65.5 kB | 16 of 64 layers keep keys and values" in layered_markdown(model)


def test_the_command_prints_the_model_and_its_remarks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.json").write_text(json.dumps(LFM2_1_2B))
    assert main(["inspect", str(tmp_path / "small.json")]) == 0
    text = capsys.readouterr().out
    assert "small · 1.170B parameters · 16 layers × d_model 2,048" in text
    assert "Note: num_experts_of_mine is no key of lfm2, and is not read." in text
    assert "Short convolution     16,783,360 × 10    167,833,600   14.34 %" in text
    assert main(["inspect", str(tmp_path / "small.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total_params"] == 1_170_340_608


def test_a_command_that_needs_a_module_says_what_counts_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.json").write_text(json.dumps(LFM2_1_2B))
    assert main(["export", str(tmp_path / "small.json"), str(tmp_path / "out")]) == 2
    assert "the Inspect page and the command inspect count it" in capsys.readouterr().err
