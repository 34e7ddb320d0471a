"""The Inspect page without a browser: models by name, from files and from links, and what is said of each."""

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.core.named_model import NamedModel
from slimlm.core.published import LEFT_OUT, published_model
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.ui.inspect_panels import count_claim
from slimlm.ui.inspect_picker import FIRST_SHOWN, link_of, read_config
from slimlm.utils.text import plain
from tests.models import ARCHITECTURES
from tests.test_app import APP, chart_title, shown, table
from tests.test_hostile_links import LIVELY


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/inspect.py")
    page.query_params.update(query)
    return page.run()


def paste(page: AppTest, text: str) -> None:
    page.text_area(key="config_text").input(text)
    next(button for button in page.button if button.label == "Read the text").click().run()


def metrics(page: AppTest) -> dict[str, tuple[Any, Any]]:
    return {metric.label: (metric.value, metric.delta) for metric in page.metric}


def said(page: AppTest) -> str:
    return shown("\n".join(text.value for texts in (page.title, page.markdown, page.caption) for text in texts))


def test_a_published_model_is_shown_with_its_count_and_its_checked_module() -> None:
    page = opened(model="gpt2", tab="pytorch-check")
    assert not page.exception and not page.error
    assert metrics(page) == {
        "Total parameters": ("124.4M", "124,439,808"),
        "Embedding ratio": ("31.0 %", "vocabulary 50,257"),
        "FFN expansion": ("4.000", "d_ff 3,072"),
        "Depth × width": ("12 × 768", "d_model / layers 64"),
        "PyTorch check": ("passed", "counted, shapes run"),
    }
    assert "gpt2, 124.4M parameters\n" in said(page)
    assert "12 layers of width 768, 12 heads of 64, tanh GELU MLP of 3,072." in said(page)
    assert "Counted: 124,439,808 parameters, equal to the count outside slimlm (published exact count)." in said(page)
    assert "124,439,808 parameters counted in PyTorch, logits of shape (2, 16, 50257)." in said(page)
    assert chart_title(page)["text"][0].startswith("gpt2 · 124.4M parameters")
    assert "| Position embedding | max_seq_length · d_model | (1,024, 768) |" in table(opened(model="gpt2"))


def test_without_a_name_a_well_known_model_is_shown() -> None:
    assert chart_title(opened())["text"][0].startswith(f"{FIRST_SHOWN} · ")


def test_what_the_shape_does_not_show_and_who_is_left_out_is_said() -> None:
    text = said(opened(model="gemma-2b"))
    assert "* RMSNorm multiplies by 1 + weight" in text
    assert all(f"**{name}**: {reason}." in text for name, reason in LEFT_OUT.items())
    assert "**Remarks**" not in said(opened(model="gpt2"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            {"model": "gpt-2"},
            "name='gpt-2' is not allowed: it must be one of the 74 published models known here",
        ),
        ({"model": "opt-350m"}, "name='opt-350m' is not allowed: it is left out, because its embeddings are 512 wide"),
        ({"model": "<b>" * 100}, "name='<b><b>"),
        ({"architecture": "{"}, "the link's model is not JSON: Expecting property name"),
    ],
)
def test_a_link_to_nothing_is_one_sentence(query: dict[str, str], sentence: str) -> None:
    page = opened(**query)
    assert not page.exception
    assert [shown(error.value).startswith(sentence) for error in page.error] == [True]
    assert len(page.error[0].value) < 600
    assert not page.metric


def test_a_link_holds_a_model_from_a_file() -> None:
    named_model = NamedModel("mine", ARCHITECTURES["gemma"], "From a config.json")
    page = opened(architecture=write_named_model(named_model))
    assert "mine, 268.1M parameters\n" in said(page)
    assert "18 layers of width 640, 4 heads (1 KV) of 256, GeGLU of 2,048." in said(page)
    assert "Counted: 268,098,176 parameters." in said(page)
    assert page.selectbox(key="picked").value is None


def test_a_name_is_picked_and_the_link_follows() -> None:
    page = opened(architecture=write_named_model(NamedModel("mine", ARCHITECTURES["gemma"], "From a config.json")))
    page.selectbox(key="picked").select("Qwen3-0.6B").run()
    assert page.query_params == {"model": "Qwen3-0.6B"}
    assert metrics(page)["Total parameters"] == ("596.0M", "596,049,920")


def test_a_pasted_config_is_read_with_its_remarks_and_the_link_follows() -> None:
    page = opened(model="gpt2")
    paste(page, '{"model_type": "mistral", "rope_scaling": {"type": "linear"}}')
    assert not page.exception and not page.error
    assert "are defaults of mistral, not in the config" in said(page)
    assert 'rescaled rotary positions (rope_type="linear")' in said(page)
    assert page.query_params.keys() == {"architecture"}
    found = read_named_model(page.query_params["architecture"])
    assert (found.name, found.total_params) == ("mistral", published_model("Mistral-7B-v0.1").total_params)


def test_a_shared_link_shows_remarks_and_origin_to_its_receiver() -> None:
    sender = opened(model="gpt2")
    paste(sender, '{"model_type": "mistral", "rope_scaling": {"type": "linear"}}')
    receiver = opened(architecture=sender.query_params["architecture"])
    assert "are defaults of mistral, not in the config" in said(receiver)
    assert 'rescaled rotary positions (rope_type="linear")' in said(receiver)
    assert said(receiver) == said(sender)
    assert chart_title(receiver) == chart_title(sender)
    assert "From a config.json" in str(chart_title(receiver))


def test_remarks_stand_before_the_figures() -> None:
    page = opened(model="gpt2")
    paste(page, 'LlamaConfig {"model_type": "llama", "dim": 256, "n_layers": 8,}')
    assert not page.exception and not page.error
    kinds = [getattr(part, "value", "") if part.type == "markdown" else part.type for part in page.main]
    remarks = kinds.index("**Remarks**")
    assert "dim and n\\_layers are not keys of llama" in kinds[remarks + 1]
    assert remarks < kinds.index("metric") and not any(kind == "metric" for kind in kinds[:remarks])


def test_files_of_several_kinds_are_read_under_their_own_names() -> None:
    (uploader,) = opened(model="gpt2").get("file_uploader")
    assert list(uploader.proto.type) == [".json", ".yaml", ".yml", ".txt", ".py"]
    nano = "n_layer = 2\nn_head = 2\nn_embd = 8\nblock_size = 16\nvocab_size = 99\n"
    names = [read_config(nano, file).name for file in ("mine.py", "params.json", "a.b.yaml", "config", "other.toml")]
    assert names == ["mine", "unnamed", "a.b", "unnamed", "other.toml"]
    assert read_config('{"model_type": "gpt2"}', "config.json").name == "gpt2"
    assert read_config("n_embd: 8\nn_query_groups: 2\nn_head: 2\nname: small\n").name == "small"


@pytest.mark.parametrize("remark", LIVELY)
def test_remarks_from_a_link_are_text(remark: str) -> None:
    page = opened(architecture=write_named_model(NamedModel("a", ARCHITECTURES["llama"], "", (remark,))))
    assert f"* {plain(remark)}" in [body.value for body in page.markdown]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"model_type": ', "the config cannot be read: line 1 ends where a value was expected"),
        ('<<<<<<< HEAD\n{"model_type": "llama"}', "the config cannot be read: line 1 is the mark of a merge conflict"),
        ('{"model_type": "**bert**"}', 'model_type="**bert**" is not supported: slimlm reads '),
        ('{"model_type": "llama", "num_local_experts": 8}', "num_local_experts=8 is not supported"),
    ],
)
def test_a_broken_config_is_one_sentence_and_the_model_stays(text: str, sentence: str) -> None:
    page = opened(model="gpt2")
    paste(page, text)
    assert not page.exception
    assert [shown(error.value)[: len(sentence)] for error in page.error] == [sentence]
    assert metrics(page)["Total parameters"] == ("124.4M", "124,439,808")


def test_a_model_that_is_too_deep_to_build_is_shown_all_the_same() -> None:
    deep = NamedModel("deep", replace(ARCHITECTURES["llama"], n_layers=1001), "")
    page = opened(architecture=write_named_model(deep), tab="pytorch-check")
    assert metrics(page)["PyTorch check"] == ("not built", "too deep")
    assert shown(page.info[0].value).startswith("n_layers=1,001 is too deep to be built")


def test_the_design_page_is_offered_only_where_it_can_ask_for_the_shape() -> None:
    wide = NamedModel("wide", replace(ARCHITECTURES["llama"], d_ff=10**6), "")
    page = opened(architecture=write_named_model(wide))
    assert "Edit as a design" not in [button.label for button in page.button]
    assert "The Design page cannot request it: no request gives exactly this architecture" in said(page)
    assert "Edit as a design" in [button.label for button in opened(model="gpt2").button]


def test_a_count_that_differs_is_not_called_equal() -> None:
    model = published_model("gpt2")
    other = replace(model, architecture=ARCHITECTURES["llama"])
    assert count_claim(model).count(" equal to the count outside slimlm") == 1
    assert "134,515,008 parameters, not equal to the count outside slimlm" in count_claim(other)


def test_the_link_of_a_model_is_its_name_or_all_of_it() -> None:
    model = published_model("gpt2")
    assert link_of(model) == {"model": "gpt2"}
    assert read_named_model(link_of(model.renamed("mine"))["architecture"]).architecture == model.architecture


def test_the_tabs_keep_their_place_below_remarks_and_without_any() -> None:
    # Streamlit knows a fragment by its place: what is set in one that has moved meanwhile is lost.
    pages = [opened(model="gpt2"), opened(model="gemma-3-270m")]
    assert ["**Remarks**" in said(page) for page in pages] == [False, True]
    places = {n for page in pages for n, child in page.main.children.items() if child.type == "tab_container"}
    assert len(places) == 1
