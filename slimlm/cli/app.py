"""The `app` command: opens the page of a checkout in the browser."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from slimlm.utils.optional import STREAMLIT, PackageError, need

_PARTS = ("app.py", "pages", "slimlm", ".streamlit/config.toml")
"""What a checkout has, and a folder with another app.py lacks."""


def open_app(options: Sequence[str]) -> NoReturn:
    """Run the page in place of this process, so that a signal to it reaches the server.

    options: passed on to `streamlit run`.

    Raises PackageError where there is no checkout or no Streamlit.
    """
    page = _checkout() / "app.py"
    need("the page", STREAMLIT)
    # -P: a module of the current folder must not replace one that Streamlit imports.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "streamlit", "run", str(page), *options])


def _checkout() -> Path:
    """Return the checkout that this package lies in, or else the one in the current folder."""
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if all((folder / part).exists() for part in _PARTS):
            return folder
    raise PackageError(
        "the page is not part of the installed package; `slimlm app` in a checkout of slimlm's repository would work"
    )
