"""Resident memory of a server that runs for days."""

import ctypes
import os
from contextlib import suppress

import streamlit as st

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_LARGE = 2**20
_ARENAS = 2


def bound_arenas() -> None:
    """Let the C library keep freed memory in two arenas, and give large blocks back at once; elsewhere do nothing.

    By default every thread gets an arena, up to eight a core, each of which keeps what its busiest moment took, and
    blocks of up to 32 MB go there. It must be called before there are many threads.
    """
    with suppress(OSError, AttributeError):  # only glibc has mallopt
        mallopt = ctypes.CDLL(None).mallopt if os.name == "posix" else None
        if mallopt:
            mallopt(_M_ARENA_MAX, _ARENAS)
            mallopt(_M_MMAP_THRESHOLD, _LARGE)


@st.cache_resource(show_spinner=False)
def bound_memory() -> None:
    """Bound what the server's C library keeps, once."""
    bound_arenas()
