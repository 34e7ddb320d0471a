"""Model of the Inspect page, read from the link, and the fields that change the link."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from slimlm.core.describe import size_words
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel
from slimlm.core.published import PublishedModel, all_published, published_model
from slimlm.interop.hf import MAX_BYTES, parse_hf_config
from slimlm.interop.hf.import_config import hf_named_model, name_in
from slimlm.interop.layered import linked_layered
from slimlm.interop.read_model import read_model
from slimlm.serialization.layered_links import is_layered, read_layered, write_layered
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.ui.query_params import ARCHITECTURE, MODEL
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

FIRST_SHOWN = "SmolLM2-135M"

KINDS = ("json", "yaml", "yml", "txt", "py")
"""Kinds of file that may hold a config."""

_COMMON_NAMES = ("", "config", "params", "model_config", "args")
"""Names of files, without their kind, that name no model."""


def linked_model() -> NamedModel | LayeredModel:
    """Return the model that the link asks for; `FIRST_SHOWN` when it asks for none.

    Raises ValueError, in one sentence, for a name that is not known or an architecture that is not possible.
    """
    if text := query_params.get(ARCHITECTURE):
        if not is_layered(text):
            return read_named_model(text)
        return linked_layered(*read_layered(text))
    return published_model(query_params.get(MODEL, FIRST_SHOWN)[:80])


def link_of(model: NamedModel | LayeredModel) -> dict[str, str]:
    """Return the query that shows a model again."""
    if isinstance(model, LayeredModel):
        return {ARCHITECTURE: write_layered(model)}
    return {MODEL: model.name} if isinstance(model, PublishedModel) else {ARCHITECTURE: write_named_model(model)}


_READER = "config_reader"
"""Key of the list that reads a config.json: whether it is open."""


def draw_picker() -> "DeltaGenerator":
    """Draw the list of published models and the reader of a config.json; return the empty column beside them."""
    row = st.container(key="wrapped_picker")
    left, middle, right = row.columns([0.38, 0.22, 0.4], vertical_alignment="bottom")
    with left:
        _draw_names()
    with middle.popover(
        "Read a config.json", icon=":material/data_object:", width="stretch", wrap=True, key=_READER, on_change="rerun"
    ):
        st.file_uploader("A file", type=list(KINDS), key="config_file", on_change=_take_file, max_upload_size=1)
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
        _take_config(file.getvalue(), file.name)


@completed
def _take_text() -> None:
    _take_config(st.session_state.config_text, "")


def read_config(text: str | bytes, file: str = "") -> NamedModel:
    """Read the text of a config; the model has the name of its file unless that is a common one, such as config.json.

    Raises ValueError, in one sentence, for a text that no Architecture describes.
    """
    config = parse_hf_config(text)
    return hf_named_model(config, _name_of(config, file))


def _name_of(config: dict[str, Any], file: str) -> str:
    stem, _, kind = file.rpartition(".")
    name = stem if kind in KINDS else file
    return name_in(config) if name in _COMMON_NAMES else name


def _take_config(text: str | bytes, file: str) -> None:
    st.session_state[_READER] = False  # it would cover the model, or the error
    try:
        config = parse_hf_config(text)
        model = read_model(config, _name_of(config, file))
        written = write_layered(model) if isinstance(model, LayeredModel) else write_named_model(model)
    except ValueError as error:
        st.session_state.config_problem = str(error)
        return
    _show(ARCHITECTURE, written)


def _show(parameter: str, value: str) -> None:
    st.session_state.config_problem = None
    query_params.change({MODEL: "", ARCHITECTURE: "", parameter: value})
