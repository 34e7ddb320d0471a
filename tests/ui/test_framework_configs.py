"""What a page hands to a training stack: the text where it can be expressed, else one sentence."""

import json

import pytest

from slimlm.core.published import published_model
from slimlm.interop.hf import to_hf_config
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
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
    assert "export_pretrained(LanguageModel(design)" in codes[1]
    assert codes[2:] == [megatron_arguments(arch).strip(), litgpt_config(arch).strip()]


@pytest.mark.parametrize(("model", "said"), [("gpt-neo-125m", "transformers"), ("bloom-560m", "alibi")])
def test_what_cannot_be_expressed_gets_a_sentence_and_slimlms_own_format(model: str, said: str) -> None:
    codes, refusals = handed_over(model)
    assert any(said in refusal for refusal in refusals)
    assert any("save_pretrained(LanguageModel(design)" in code for code in codes)
