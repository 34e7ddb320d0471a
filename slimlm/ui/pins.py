"""Pins on every page: the buttons that pin a model, and the pins in the URL, which links to other pages keep."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import streamlit as st

from slimlm.compare.pin_links import read_pins, write_pin
from slimlm.compare.pins import MOST_PINS, Pin, pin_of, pinned_as, with_pin, without_pin
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import Subject
from slimlm.core.published import PublishedModel
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PIN = "pin"
"""Query parameter, once for each pin."""


def pinned() -> tuple[Pin, ...]:
    """Return the valid pins of the URL."""
    return _read()[0]


def complaints() -> tuple[str, ...]:
    """Return an error message for each pin of the URL that is invalid."""
    return _read()[1]


def _read() -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    return read_pins(tuple(query_params.get_all(PIN)))


def change_pins(
    change: Callable[[tuple[Pin, ...]], tuple[Pin, ...]],
    also: Callable[[tuple[Pin, ...]], dict[str, str]] = lambda pins: {},
) -> None:
    """Change the pins in the URL, in a callback; show a message if the change is invalid.

    `also` returns further query parameters for the new pins, empty ones to remove: one step in history.
    """
    try:
        pins = change(pinned())
    except ValueError as error:
        sentence = str(error)
        st.toast(plain(f"{sentence[0].upper()}{sentence[1:]}."), icon=":material/info:")
        return
    query_params.change({PIN: list(map(write_pin, pins)), **also(pins)})


@completed
def pin(subject: Subject | ModelConfig | PublishedModel, name: str = "", hint: str = ": see the Compare page") -> None:
    """Pin a model under a name, or under its own, and end the message with a hint; a callback."""

    def add(pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        grown = with_pin(pins, pin_of(subject, name))
        st.toast(
            plain(f"Pinned as “{grown[-1].name}”, {len(grown)} of {MOST_PINS}{hint}."),
            icon=":material/keep:",
        )
        return grown

    change_pins(add)


@completed
def unpin(architecture: Architecture) -> None:
    """Remove the pin that holds an architecture; a callback."""

    def remove(pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        held = pinned_as(pins, architecture)
        return without_pin(pins, pins.index(held)) if held else pins

    change_pins(remove)


def pin_button(
    place: "DeltaGenerator",
    subject: Subject | ModelConfig | PublishedModel,
    name: str = "",
    *,
    architecture: Architecture,
    key: str = "pin",
    icon_alone: bool = False,
    width: Literal["stretch", "content"] = "stretch",
) -> None:
    """Show a button that pins a model under a name, or unpins it; `architecture` identifies the model."""
    held = pinned_as(pinned(), architecture)
    icon = ":material/check:" if held else ":material/keep:"
    place.button(
        icon if icon_alone else "Pinned" if held else "Pin",
        key=key,
        icon=None if icon_alone else icon,
        on_click=unpin if held else pin,
        args=(architecture,) if held else (subject, name),
        help=f"On the Compare page as “{plain(held.name)}”; click to unpin." if held else "Add to the Compare page.",
        width=width,
    )
