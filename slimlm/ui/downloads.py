"""Files that pages offer, each made when its button is clicked; pictures at rest where nothing can draw them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import streamlit as st

from slimlm.utils.optional import PICTURES, problem_with
from slimlm.utils.text import plain


class Offer(NamedTuple):
    """One file, ready to be made."""

    label: str
    build: Callable[[], bytes | str]
    file_name: str
    mime: str
    help: str | None = None
    """What is in it, and what for."""


def show_downloads(offers: Iterable[Offer]) -> None:
    """Draw a button for each file, which leaves the page as it is; say in one sentence why pictures cannot be had."""
    problem = problem_with("A picture", PICTURES)
    if problem:
        st.warning(plain(f"{problem}."), icon=":material/hide_image:")
    for offer in offers:
        st.download_button(
            offer.label,
            offer.build,
            offer.file_name,
            offer.mime,
            help=offer.help,
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
            disabled=bool(problem) and offer.mime.startswith("image/"),
        )
