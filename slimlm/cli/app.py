"""The command `slimlm app`: opens the page of a checkout in the browser."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from slimlm.utils.optional import STREAMLIT, PackageError, need

_PARTS = ("app.py", "pages", "slimlm", ".streamlit/config.toml")
"""Files that identify a checkout; a folder with another app.py lacks some."""


def add_app(app: argparse.ArgumentParser) -> None:
    """Let `slimlm app` take Streamlit's options."""
    app.usage = "slimlm app [OPTION ...]"
    app.description = "Open the page in the browser. Options such as --server.port 8502 are passed to Streamlit."
    app.set_defaults(run=lambda options: open_app(options.streamlit_options), streamlit_options=())


def open_app(options: Sequence[str]) -> NoReturn:
    """Replace this process by the page's server, so that signals reach the server.

    options: passed to `streamlit run`.

    Raises PackageError without a checkout or Streamlit.
    """
    page = _checkout() / "app.py"
    need("the page", STREAMLIT)
    # -P: a module of the current folder must not replace one that Streamlit imports.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "streamlit", "run", str(page), *options])


def _checkout() -> Path:
    """Return the checkout that contains this package, or else the one in the current folder."""
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if all((folder / part).exists() for part in _PARTS):
            return folder
    raise PackageError(
        "the page is not part of the installed package; `slimlm app` in a checkout of slimlm's repository would work"
    )
