"""Download buttons; pictures are disabled where they cannot be drawn."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from slimlm.utils.optional import PICTURES, problem_with
from slimlm.utils.text import plain

if TYPE_CHECKING:
    from slimlm.export.downloads import Download


_WIDTH_PX = 300


def show_downloads(downloads: "Iterable[Download]") -> None:
    """Show a button for each file, or why there is none; show a warning when pictures cannot be drawn."""
    problem = problem_with("A picture", PICTURES)
    if problem:
        st.warning(plain(f"{problem}."), icon=":material/hide_image:")
    with st.container(gap=None, width=_WIDTH_PX):  # a sentence would widen the menu over the page
        for download in downloads:
            if download.refusal:
                st.caption(plain(f"{download.label}: {download.refusal}"))
            else:
                _button(download, disabled=bool(problem) and download.mime.startswith("image/"))


def _button(download: "Download", *, disabled: bool) -> None:
    st.download_button(
        download.label,
        download.build,
        download.file_name,
        download.mime,
        help=download.help,
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
        disabled=disabled,
        # The same button for every model: a session keeps what it knows of each button it has ever had.
        key=f"download_{download.label}",
    )
