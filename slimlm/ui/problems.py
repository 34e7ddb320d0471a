"""A request without a design: the error, what would work, and the last design."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import streamlit as st

from slimlm.charts.allocation import allocation_chart
from slimlm.core.config import ModelConfig
from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.notes.verdict import Weight, verdict
from slimlm.serialization.fields import KNOBS, Value, values_of
from slimlm.solver.solver import BudgetError, solve
from slimlm.ui.knobs import move_knobs
from slimlm.utils.text import plain
from slimlm.utils.validation import FieldError


class _Offer(NamedTuple):
    """A change of knobs, with what it gives where a design is known."""

    change: str
    values: Mapping[str, Value]
    design: Design | None

    @property
    def label(self) -> str:
        if self.design is None:
            return f"Set {self.change}"
        arch = self.design.architecture
        return f"Set {self.change}: {counted(arch.n_layers, 'layer')} × {arch.d_model:,}"


def show_problem(error: ValueError) -> None:
    """Show the error, its remedies as buttons with what they give, and the last design in grey."""
    st.error(plain(f"{error}."), icon=":material/error:")
    for label, values in {offer.label: offer.values for offer in _offers(error)}.items():
        st.button(label, on_click=move_knobs, args=(values,), icon=":material/auto_fix_high:")
    if last := st.session_state.get("last_design"):
        with st.container(key="outdated"):
            st.caption("The last design")
            st.altair_chart(allocation_chart(last), width="stretch", theme=None, key="last_allocation")


def keep_as_last(design: Design) -> None:
    """Keep a design to show while a request has none."""
    st.session_state.last_design = design


def _offers(error: ValueError) -> Iterator[_Offer]:
    if isinstance(error, BudgetError):
        for suggestion in error.suggestions:
            yield _sound(_words(suggestion.field, suggestion.value), values_of(suggestion.config))
    elif isinstance(error, FieldError):
        for name, value in error.remedies:
            yield _sound(_words(name, value), {name: value})


def _words(name: str, value: Value) -> str:
    return f"{name} to {'none' if value is None else KNOBS[name].write(value)}"


def _sound(change: str, values: Mapping[str, Value]) -> _Offer:
    """Return a change of knobs, mended where its design has an absurd shape."""
    with suppress(ValueError):
        design = solve(ModelConfig(**{name: st.session_state[name] for name in KNOBS} | dict(values)))
        found = verdict(design)
        if found.weight == Weight.SHAPE and (remedy := found.remedy):
            return _Offer(remedy.change, values_of(remedy.request), remedy.design)
        return _Offer(change, values, design)
    return _Offer(change, values, None)
