"""Choices of the Rank page, kept in the URL: which study, which cell, and what the loss is shown against."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.ui.query_params import CELL, STUDY
from slimlm.utils.text import one_line

AGAINST = "against"
"""Query parameter, and key of its control: what the loss is shown against, absent for the first choice."""

Against = Literal["n_layers", "flops", "seconds"]

AGAINST_CHOICES: dict[Against, str] = {"n_layers": "Layers", "flops": "FLOPs", "seconds": "Seconds"}

_LONGEST = 120


@dataclass(frozen=True)
class ChosenStudy:
    """The study that the URL names, or the first one."""

    name: str | None
    """None when the server has no study."""
    complaint: str = ""
    """A sentence about a name in the link that no study has."""


def chosen_study(names: Sequence[str]) -> ChosenStudy:
    """Return the study to show."""
    first, linked = (names[0] if names else None), query_params.get(STUDY)
    if not linked or linked in names:
        return ChosenStudy(linked or first)
    return ChosenStudy(first, f"The link's study was ignored: this server has none of the name {_shown(linked)}.")


def _shown(text: str) -> str:
    return repr(one_line(text, 40))


def draw_studies(names: Sequence[str], chosen: str, labels: dict[str, str]) -> None:
    """Draw the list of studies."""
    query_params.show(STUDY, chosen)
    st.selectbox("Study", names, format_func=lambda name: labels.get(name, name), key=STUDY, on_change=_take_study)


@completed
def _take_study() -> None:
    if not query_params.is_outdated(STUDY):
        query_params.change({STUDY: st.session_state[STUDY], CELL: ""})


def open_study_named(name: str) -> None:
    """Show a study, in a callback."""
    query_params.change({STUDY: name, CELL: ""})


def picked(keys: Sequence[str]) -> tuple[int | None, str]:
    """Return the index of the cell that the URL names, and a sentence about one that the study does not have."""
    linked = query_params.get(CELL)
    if not linked:
        return None, ""
    if linked in keys:
        return keys.index(linked), ""
    return None, f"The link's cell was ignored: the study has none of the name {_shown(linked[:_LONGEST])}."


def pick(keys: Sequence[str], place: int | None) -> None:
    """Write the picked cell into the URL, in a callback; None removes it."""
    query_params.change({CELL: "" if place is None else keys[place]})


def against() -> Against:
    """Return what the loss is shown against, which the URL says."""
    linked = query_params.get(AGAINST)
    return next((choice for choice in AGAINST_CHOICES if choice == linked), "n_layers")


def draw_against() -> None:
    """Draw the choice of what the loss is shown against."""
    query_params.show(AGAINST, against())
    st.segmented_control(
        "Loss against",
        list(AGAINST_CHOICES),
        format_func=AGAINST_CHOICES.__getitem__,
        key=AGAINST,
        on_change=_take_against,
        required=True,
        label_visibility="collapsed",
    )


@completed
def _take_against() -> None:
    if not query_params.is_outdated(AGAINST):
        word = st.session_state[AGAINST]
        query_params.change({AGAINST: "" if word == next(iter(AGAINST_CHOICES)) else word})
