"""Cost panels: settings as widgets, and the cost table of one model."""

from typing import Any, cast

import streamlit as st

from slimlm.core.accounting import Account
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
"""Keys of the widgets, which all pages share, with their initial values."""


@st.fragment
def show_costs(account: Account) -> None:
    """Show the settings of costs, and below them the costs of a model."""
    settings = cost_settings(account.architecture.max_seq_length)
    st.html(f"<style>{TABLE_STYLE}</style>{costs_table(costs(account, settings))}")


def cost_settings(longest_context: int) -> CostSettings:
    """Draw the settings of costs and return them; `longest_context` limits the context length and is its default."""
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
    """Restore the widgets' values, which Streamlit drops when the page changes.

    A new session writes nothing: after a server restart the browser resends its own values.
    """
    state = st.session_state
    for key, value in state.get("costs", {}).items():
        held = state.get(key)
        # Written even if present: the key may still belong to a widget of the previous page and vanish with it.
        state[key] = value if held is None else held
    if (state.get(_CONTEXT) or 0) > longest_context:
        state[_CONTEXT] = None


def _help(key: str) -> str:
    return field_docs(CostSettings)[_field(key)]


def _field(key: str) -> str:
    return key.removeprefix("cost_")


def _number(label: str, key: str, *, most: int | None = None, step: float | None = None, empty: str = "") -> object:
    limits = field_limits(CostSettings, _field(key))
    return st.number_input(
        label,
        min_value=limits.low,
        max_value=limits.high if most is None else most,
        # Without a default in later runs, clearing the field restores its last value instead of the default.
        value=None if "costs" in st.session_state else _STARTS[key],
        step=step,
        format="%g" if step else None,
        key=key,
        placeholder=empty or None,
        help=_help(key),
    )


def _training_tokens() -> int | None:
    """Draw the field for training tokens, which takes sizes such as 300B; show an error for invalid text."""
    text = st.text_input(
        "Training tokens", _STARTS[_TOKENS], key=_TOKENS, placeholder="20 per parameter", help=_help(_TOKENS)
    )
    try:
        tokens = parse_size(text) if text.strip() else None
        check_field(CostSettings, _field(_TOKENS), tokens)
    except ValueError as error:
        st.error(plain(f"{error}."))
        return None
    return tokens
