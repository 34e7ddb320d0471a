"""What models cost, on pages: the settings as widgets, and the figures of one model."""

from typing import Any, cast

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.costs import ACCELERATORS, CostSettings, costs
from slimlm.export.comparison_tables import TABLE_STYLE, costs_table
from slimlm.utils.formatting import parse_size
from slimlm.utils.text import plain
from slimlm.utils.validation import check_field, field_docs, field_limits

_CONTEXT, _TOKENS, _CHIP, _COUNT, _USE, _PRICE = (
    f"cost_{name}"
    for name in (
        "context_length",
        "training_tokens",
        "accelerator",
        "accelerators",
        "utilisation",
        "usd_per_hour",
    )
)
_STARTS: dict[str, Any] = {_CONTEXT: None, _TOKENS: "", _CHIP: "h100", _COUNT: 1, _USE: 0.4, _PRICE: 2.0}
"""Keys of the widgets, which all pages share, with what they hold at first."""


@st.fragment
def show_costs(architecture: Architecture) -> None:
    """Show what a model costs to train and to run, with the settings on top."""
    settings = cost_settings(architecture.max_seq_length)
    st.html(f"<style>{TABLE_STYLE}</style>{costs_table(costs(architecture, settings))}")


def cost_settings(longest_context: int) -> CostSettings:
    """Draw what costs depend on and return it: a context of at most `longest_context` tokens, which is the default."""
    _restore(longest_context)
    columns = st.columns([1, 1.1, 1.7, 0.8, 1, 1], gap="small")
    with columns[0]:
        context = _number("Context length", _CONTEXT, most=longest_context, empty=f"{longest_context:,}")
    with columns[1]:
        tokens = _training_tokens()
    with columns[2]:
        chip = st.selectbox(
            "Accelerator",
            list(ACCELERATORS),
            list(ACCELERATORS).index(_STARTS[_CHIP]),
            format_func=lambda key: ACCELERATORS[key].name,
            key=_CHIP,
            help=_help(_CHIP),
        )
    with columns[3]:
        count = _number("How many", _COUNT)
    with columns[4]:
        utilisation = _number("Utilisation", _USE, step=0.05)
    with columns[5]:
        price = _number("USD an hour", _PRICE, step=0.5)
    st.session_state.costs = {key: st.session_state[key] for key in _STARTS}
    return CostSettings(
        context_length=cast("int | None", context),
        training_tokens=tokens,
        accelerator=chip,
        accelerators=cast("int", count),
        utilisation=cast("float", utilisation),
        usd_per_hour=cast("float", price),
    )


def _restore(longest_context: int) -> None:
    """Set the widgets to what they last held: on the way to another page Streamlit forgets them.

    A new session writes nothing: after a restart of the server, the browser still has the values and sends them.
    """
    state = st.session_state
    for key, value in state.get("costs", {}).items():
        held = state.get(key)
        # Written even where it is held: a widget of another page may hold it still, and takes it along.
        state[key] = value if held is None else held
    if (state.get(_CONTEXT) or 0) > longest_context:
        state[_CONTEXT] = None


def _help(key: str) -> str:
    return " ".join(field_docs(CostSettings)[_field(key)].split())


def _field(key: str) -> str:
    return key.removeprefix("cost_")


def _number(label: str, key: str, *, most: int | None = None, step: float | None = None, empty: str = "") -> object:
    limits = field_limits(CostSettings, _field(key))
    return st.number_input(
        label,
        min_value=limits.low,
        max_value=limits.high if most is None else most,
        # Later runs start from nothing: a field that is emptied then goes back to what it was, not to its start.
        value=None if "costs" in st.session_state else _STARTS[key],
        step=step,
        format="%g" if step else None,
        key=key,
        placeholder=empty or None,
        help=_help(key),
    )


def _training_tokens() -> int | None:
    """Draw the field for training tokens, which takes sizes such as 300B; say in a sentence what cannot be read."""
    text = st.text_input(
        "Training tokens", _STARTS[_TOKENS], key=_TOKENS, placeholder="20 a parameter", help=_help(_TOKENS)
    )
    try:
        tokens = parse_size(text) if text.strip() else None
        check_field(CostSettings, _field(_TOKENS), tokens)
    except ValueError as error:
        st.error(plain(f"{error}."))
        return None
    return tokens
