"""Cost panels: settings as widgets, and the cost table of one model."""

from typing import Any, cast

import streamlit as st

from slimlm.core.accounting import Account
from slimlm.costs import ACCELERATORS, CostSettings, costs
from slimlm.export.comparison_tables import TABLE_STYLE, costs_table
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.utils.formatting import parse_number, parse_size
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
"""Keys of the widgets, which are query parameters too and common to all pages, with their initial values."""

COST_PARAMETERS = tuple(_STARTS)
"""Query parameters of the costs, absent for initial values."""


@st.fragment
def show_costs(account: Account) -> None:
    """Show the settings of costs, and below them the costs of a model."""
    settings = cost_settings(account.architecture.max_seq_length)
    st.html(f"<style>{TABLE_STYLE}</style>{costs_table(costs(account, settings))}")


def cost_settings(longest_context: int) -> CostSettings:
    """Draw the settings of costs and return them; `longest_context` limits the context length and is its default."""
    for key in _STARTS:
        query_params.show(key, _linked(key, longest_context))
    columns = st.columns([1, 1.1, 1.7, 0.8, 1, 1], gap="small")
    with columns[0]:
        context = _number("Context length", _CONTEXT, most=longest_context, empty=f"{longest_context:,}")
    with columns[1]:
        tokens = _training_tokens()
    with columns[2]:
        chip = st.selectbox(
            "Accelerator",
            list(ACCELERATORS),
            format_func=lambda key: ACCELERATORS[key].name,
            key=_CHIP,
            help=_help(_CHIP),
            on_change=_take,
            args=(_CHIP,),
        )
    with columns[3]:
        count = _number("How many", _COUNT)
    with columns[4]:
        utilisation = _number("Utilisation", _USE, step=0.05)
    with columns[5]:
        price = _number("USD an hour", _PRICE, step=0.5)
    return CostSettings(
        context_length=cast("int | None", context),
        training_tokens=tokens,
        accelerator=chip,
        accelerators=cast("int", count),
        utilisation=cast("float", utilisation),
        usd_per_hour=cast("float", price),
    )


def _linked(key: str, longest_context: int) -> Any:
    """Return the value of a setting in the URL, its initial one where the URL has none that is valid."""
    text = query_params.get(key)
    if key == _TOKENS or not text:
        return text[:40] or _STARTS[key]
    try:
        value = text if key == _CHIP else parse_number(text) if key in (_USE, _PRICE) else parse_size(text)
        check_field(CostSettings, _field(key), value)
    except ValueError:
        return _STARTS[key]
    return None if key == _CONTEXT and parse_size(text) > longest_context else value


@completed
def _take(key: str) -> None:
    """Write a setting into the URL. A field that is cleared gets its initial value back, or keeps its last."""
    value = st.session_state[key]
    if not query_params.is_outdated(key) and not (value is None and _STARTS[key] is not None):
        written = f"{value:.10g}" if isinstance(value, float) else str(value)
        query_params.change({key: "" if value in (None, _STARTS[key]) else written})


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
        value=None,
        step=step,
        format="%g" if step else None,
        key=key,
        placeholder=empty or None,
        help=_help(key),
        on_change=_take,
        args=(key,),
    )


def _training_tokens() -> int | None:
    """Draw the field for training tokens, which takes sizes such as 300B; show an error for invalid text."""
    text = st.text_input(
        "Training tokens",
        key=_TOKENS,
        placeholder="20 per parameter",
        help=_help(_TOKENS),
        on_change=_take,
        args=(_TOKENS,),
    )
    try:
        tokens = parse_size(text) if text.strip() else None
        check_field(CostSettings, _field(_TOKENS), tokens)
    except ValueError as error:
        st.error(plain(f"{error}."))
        return None
    return tokens
