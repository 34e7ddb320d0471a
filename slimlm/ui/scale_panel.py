"""Scaling a named model to another total, on the Inspect page."""

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.compare.pins import Pin, pin_of, pinned_as, with_pin
from slimlm.core.architecture import Architecture
from slimlm.core.describe import heads_phrase, shape_phrase, size_words
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.notes.verdict import verdict
from slimlm.solver.scaling import scaled
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.ui.frame import open_on_design
from slimlm.ui.pins import change_pins
from slimlm.ui.query_params import SCALE
from slimlm.utils.formatting import format_count, format_ratio, format_share, parse_size
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


_TOTALS = ("30M", "100M", "300M", "1B", "3B", "10B", "30B", "100B")
"""Totals that are proposed: the first that the model can be scaled to."""


@lru_cache(maxsize=256)
def proposed_total(architecture: Architecture) -> str:
    """Return the first of the proposed totals that leaves room for a model of an architecture's proportions."""
    for text in _TOTALS:
        with suppress(ValueError):
            scaled(architecture, parse_size(text))
            return text
    return _TOTALS[0]


def offer_scaling(place: "DeltaGenerator", model: NamedModel) -> None:
    """Offer the model at another total, beside the original."""
    with place.popover("Scale it…", icon=":material/open_in_full:", width="stretch"):
        st.caption(
            "Keeps structure, head_dim, KV groups and expansion, and the depth for its width as far from the fit of "
            "published models as the original's; proposes a vocabulary."
        )
        usual = proposed_total(model.architecture)
        query_params.show(SCALE, query_params.get(SCALE, usual))
        help_text = "A number such as 30M or 1.5B."
        text = st.text_input("To this total", key=SCALE, on_change=_take_total, args=(usual,), help=help_text)
        try:
            design = scaled(model.architecture, parse_size(text))
        except ValueError as error:
            st.error(plain(f"{error}."), icon=":material/error:")
            return
        _show_both(model, design)


@completed
def _take_total(usual: str) -> None:
    if not query_params.is_outdated(SCALE):
        text = st.session_state[SCALE][:40]
        query_params.change({SCALE: "" if text == usual else text})


def _show_both(model: NamedModel, design: Design) -> None:
    rows = zip(_rows(model), _rows(design), strict=True)
    lines = [f"| {name} | {before} | {after} |" for (name, before), (_, after) in rows]
    st.markdown("\n".join([f"| | {plain(model.name)} | Scaled |", "|:--|--:|--:|", *lines]))
    st.markdown(plain(str(verdict(design))))
    st.button(
        "Open on the Design page", key="open_scaled", on_click=open_on_design, args=(design.config,), width="stretch"
    )
    st.button("Pin both", key="pin_scaled", on_click=_pin_both, args=(model, design), width="stretch")


def _rows(subject: Subject) -> list[tuple[str, str]]:
    arch = subject.architecture
    return [
        ("Total", size_words(subject.account)),
        ("Depth × width", shape_phrase(arch)),
        ("d_model / layers", format_ratio(arch.d_model / arch.n_layers)),
        ("Heads", f"{heads_phrase(arch)} of {arch.head_width:,}"),
        ("Expansion", f"{arch.glu_expansion:.2f} (d_ff {arch.d_ff:,})"),
        ("Vocabulary", f"{arch.vocab_size:,}"),
        ("Embedding ratio", format_share(subject.account.embedding_ratio)),
    ]


@completed
def _pin_both(model: NamedModel, design: Design) -> None:
    scaled_name = f"{model.name} at {format_count(design.total_params)}"

    def add(pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        for new in (pin_of(model), pin_of(design.config, scaled_name)):
            pins = pins if pinned_as(pins, new.architecture) else with_pin(pins, new)
        return pins

    change_pins(add)  # both at once: between two changes a newer click could interrupt
