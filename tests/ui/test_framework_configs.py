"""What a page hands to a training stack: the text where it can be expressed, else one sentence."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.core.families import family
from slimlm.core.published import published_model
from slimlm.interop.hf import from_hf_config, no_class_sentence, to_hf_config
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from slimlm.model.pretrained import from_pretrained
from slimlm.serialization.fields import to_short_query, values_of
from slimlm.solver.solver import solve
from slimlm.utils.text import plain
from tests.test_app import APP
from tests.test_inspect import opened


def handed_over(model: str) -> tuple[list[str], list[str]]:
    """Return the texts and the refusals in the tabs."""
    page = opened(model=model, tab="export")
    assert not page.exception
    codes = [code.value for code in page.tabs[3].code]
    return codes, [info.value for info in page.tabs[3].info]


def test_a_model_of_a_native_class_goes_everywhere() -> None:
    arch = published_model("Qwen3-0.6B").architecture
    codes, refusals = handed_over("Qwen3-0.6B")
    assert not refusals
    assert json.loads(codes[0]) == to_hf_config(arch)
    assert "export_pretrained(LanguageModel(architecture)" in codes[1]
    assert codes[2] == "python -m slimlm export Qwen3-0.6B FOLDER"
    assert codes[3:] == [megatron_arguments(arch).strip(), litgpt_config(arch).strip()]


@pytest.mark.parametrize(("model", "said"), [("falcon-rw-1b", "No Hugging Face class"), ("bloom-560m", "alibi")])
def test_what_cannot_be_expressed_gets_a_sentence_and_slimlms_own_format(model: str, said: str) -> None:
    codes, refusals = handed_over(model)
    assert any(said in refusal for refusal in refusals)
    assert any("save_pretrained(LanguageModel(architecture)" in code for code in codes)


SMALL = ModelConfig(total_params=200_000, vocab_size=512)


def page_of(config: ModelConfig) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    for name, value in to_short_query(values_of(config)).items():
        page.query_params[name] = value
    page.query_params["tab"] = "export"
    return page.run()


@pytest.mark.parametrize(
    "config",
    [SMALL, family("llama", 200_000, vocab_size=512)],
    ids=["slimlm's format", "Hugging Face"],
)
def test_python_on_the_design_page_runs_as_it_stands(
    config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = page_of(config)
    snippets = [code.value for code in page.code if code.language == "python"]
    assert len(snippets) == 1
    exec(snippets[0], {})
    design = solve(config)
    if config == SMALL:
        assert from_pretrained("folder").architecture == design.architecture
    else:
        assert json.loads(Path("folder", "config.json").read_text()) == to_hf_config(design.architecture)


def test_python_on_the_inspect_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(model="TinyStories-1M", tab="export")
    monkeypatch.chdir(tmp_path)
    snippets = [code.value for code in page.code if code.language == "python"]
    assert len(snippets) == 1
    exec(snippets[0], {})
    assert from_hf_config("folder") == published_model("TinyStories-1M").architecture


def test_a_button_switches_a_mix_without_a_class_to_a_family() -> None:
    page = page_of(SMALL)
    assert page.tabs[5].info[0].value == plain(no_class_sentence(solve(SMALL).architecture))
    page.button(key="switch_llama").click().run()
    assert not page.tabs[5].info
    assert json.loads(page.tabs[5].code[0].value)["model_type"] == "llama"
