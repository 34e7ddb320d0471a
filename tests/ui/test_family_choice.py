"""The family on the Design page: one choice moves the structure and keeps the sizes."""

from streamlit.testing.v1 import AppTest

from slimlm.core.config import ModelConfig
from slimlm.core.families import MODEL_FAMILIES, family
from slimlm.serialization.fields import to_short_query, values_of
from tests.test_app import APP


def page_of(config: ModelConfig) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.query_params.update(to_short_query(values_of(config)))
    return page.run()


def linked(page: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[-1] for name, value in page.query_params.items()}


def test_a_choice_moves_the_structure_and_keeps_the_sizes() -> None:
    page = page_of(ModelConfig(total_params=3_000_000, vocab_size=4096, n_heads=6))
    choice = page.selectbox(key="family")
    assert (choice.value, choice.options) == ("custom", ["Llama", "Qwen3", "Gemma 3", "GPT-2", "Custom"])
    for name in MODEL_FAMILIES:
        page.selectbox(key="family").set_value(name).run()
        assert page.selectbox(key="family").value == name
        assert linked(page) == to_short_query(values_of(family(name, 3_000_000, vocab_size=4096, n_heads=6)))


def test_a_field_that_leaves_the_family_shows_custom() -> None:
    page = page_of(family("llama", 3_000_000, vocab_size=4096))
    assert page.selectbox(key="family").options == ["Llama", "Qwen3", "Gemma 3", "GPT-2"]
    page.selectbox(key="bias").set_value("all").run()
    assert page.selectbox(key="family").value == "custom"
    page.toggle(key="tied_lm_head").set_value(False).run()
    page.selectbox(key="bias").set_value("none").run()
    assert page.selectbox(key="family").value == "llama"


def test_choices_that_exclude_each_other_show_custom() -> None:
    page = page_of(ModelConfig(total_params=3_000_000, vocab_size=4096))
    page.number_input(key="n_kv_heads").set_value(3).run()
    assert page.error
    assert page.selectbox(key="family").value == "custom"
