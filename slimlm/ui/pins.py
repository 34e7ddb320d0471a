"""Pins on every page: buttons that pin a model, and the pins in the address, which goes along from page to page."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.compare.pin_links import read_pins, write_pin
from slimlm.compare.pins import MOST_PINS, Pin, pin_of, pinned_as, with_pin, without_pin
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.named_model import Subject
from slimlm.core.published import PublishedModel
from slimlm.ui import query_params
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PIN = "pin"
"""Query parameter, once for each pin."""


def pinned() -> tuple[Pin, ...]:
    """Return the pins of the address that can be used."""
    return _read()[0]


def complaints() -> tuple[str, ...]:
    """Return what of the address's pins cannot be used, one sentence each."""
    return _read()[1]


def _read() -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    return read_pins(tuple(query_params.get_all(PIN)))


def change_pins(
    change: Callable[[tuple[Pin, ...]], tuple[Pin, ...]],
    also: Callable[[tuple[Pin, ...]], dict[str, str]] = lambda pins: {},
) -> None:
    """Write other pins into the address, in a callback; say in a sentence when they cannot be had.

    `also` returns further query parameters to go with the new pins, empty ones to be left out: one step in history.
    """
    try:
        pins = change(pinned())
    except ValueError as error:
        sentence = str(error)
        st.toast(plain(f"{sentence[0].upper()}{sentence[1:]}."), icon=":material/info:")
        return
    query_params.change({PIN: list(map(write_pin, pins)), **also(pins)})


def pin(subject: Subject | ModelConfig | PublishedModel, name: str = "") -> None:
    """Pin a model under a name, or under its own; a callback of the buttons and cells that offer it."""

    def add(pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        grown = with_pin(pins, pin_of(subject, name))
        st.toast(
            plain(f"Pinned as “{grown[-1].name}”, {len(grown)} of {MOST_PINS}: see the Compare page."),
            icon=":material/keep:",
        )
        return grown

    change_pins(add)


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
) -> None:
    """Offer to pin a model, or to take it off again when it is pinned.

    `name` is that of the pin, `architecture` that of the model.
    """
    held = pinned_as(pinned(), architecture)
    icon = ":material/check:" if held else ":material/keep:"
    place.button(
        icon if icon_alone else "Pinned" if held else "Pin",
        key=key,
        icon=None if icon_alone else icon,
        on_click=unpin if held else pin,
        args=(architecture,) if held else (subject, name),
        help=f"On the Compare page as “{plain(held.name)}”; click to take it off." if held else "Pin it to compare it.",
        width="stretch",
    )
