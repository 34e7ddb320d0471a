"""Model of the Inspect page, read from the link, and the fields that change the link."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.core.describe import size_words
from slimlm.core.named_model import NamedModel
from slimlm.core.published import PublishedModel, all_published, published_model
from slimlm.interop.hf import MAX_BYTES, parse_hf_config
from slimlm.interop.hf.import_config import hf_named_model, name_in
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.ui.query_params import ARCHITECTURE, MODEL
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

FIRST_SHOWN = "SmolLM2-135M"


def linked_model() -> NamedModel:
    """Return the model that the link asks for; `FIRST_SHOWN` when it asks for none.

    Raises ValueError, in one sentence, for a name that is not known or an architecture that is not possible.
    """
    if text := query_params.get(ARCHITECTURE):
        return read_named_model(text)
    return published_model(query_params.get(MODEL, FIRST_SHOWN)[:80])


def link_of(model: NamedModel) -> dict[str, str]:
    """Return the query that shows a model again."""
    return {MODEL: model.name} if isinstance(model, PublishedModel) else {ARCHITECTURE: write_named_model(model)}


_READER = "config_reader"
"""Key of the list that reads a config.json: whether it is open."""


def draw_picker() -> "DeltaGenerator":
    """Draw the list of published models and the reader of a config.json; return the empty column beside them."""
    left, middle, right = st.columns([0.38, 0.22, 0.4], vertical_alignment="bottom")
    with left:
        _draw_names()
    with middle.popover(
        "Read a config.json", icon=":material/data_object:", width="stretch", wrap=True, key=_READER, on_change="rerun"
    ):
        st.file_uploader("A file", type="json", key="config_file", on_change=_take_file, max_upload_size=1)
        st.text_area("Or its text", key="config_text", placeholder='{"model_type": "llama", …}', max_chars=MAX_BYTES)
        st.button("Read the text", on_click=_take_text)
    if problem := st.session_state.get("config_problem"):
        st.error(plain(f"{problem}."), icon=":material/error:")
    return right.container(horizontal=True)


def _draw_names() -> None:
    linked = None if query_params.get(ARCHITECTURE) else query_params.get(MODEL, FIRST_SHOWN)
    query_params.show("picked", linked if linked in {model.name for model in all_published()} else None)
    draw_published("Published model", "Choose a published model", key="picked", on_change=_take_name)


def draw_published(label: str, placeholder: str, *, key: str, on_change: Callable[[], None]) -> None:
    """Draw a list of the published models; the chosen name is stored in the session's state under `key`."""
    names = {model.name: model for model in all_published()}
    st.selectbox(
        label,
        list(names),
        format_func=lambda name: describe_model(names[name]),
        index=None,
        key=key,
        on_change=on_change,
        placeholder=placeholder,
        label_visibility="collapsed",
    )


def describe_model(model: PublishedModel) -> str:
    """Return the label of a published model in a list: name, family, year and size."""
    return f"{model.name} · {model.family} {model.year} · {size_words(model.account)}"


@completed
def _take_name() -> None:
    name = st.session_state.picked
    if name and not query_params.is_outdated("picked"):
        _show(MODEL, name)


@completed
def _take_file() -> None:
    if file := st.session_state.config_file:
        _take_config(file.getvalue(), file.name.removesuffix(".json"))


@completed
def _take_text() -> None:
    _take_config(st.session_state.config_text, "")


def read_config(text: str | bytes, file: str = "") -> NamedModel:
    """Read the text of a config.json; the model has the name of its file unless that is just "config".

    Raises ValueError, in one sentence, for a text that no Architecture describes.
    """
    config = parse_hf_config(text)
    return hf_named_model(config, name_in(config) if file in ("", "config") else file)


def _take_config(text: str | bytes, file: str) -> None:
    st.session_state[_READER] = False  # it would cover the model, or the error
    try:
        model = read_config(text, file)
    except ValueError as error:
        st.session_state.config_problem = str(error)
        return
    _show(ARCHITECTURE, write_named_model(model))


def _show(parameter: str, value: str) -> None:
    st.session_state.config_problem = None
    query_params.change({MODEL: "", ARCHITECTURE: "", parameter: value})
