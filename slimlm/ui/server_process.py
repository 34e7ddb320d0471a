"""Process of a server that runs for days and that many share: its memory, and the turns of its threads."""

import ctypes
import os
import sys
from contextlib import suppress

import streamlit as st

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_LARGE = 2**20
_ARENAS = 2

_SWITCH_SECONDS = 0.0003
"""How long a thread keeps Python's interpreter while others wait for it; by default 5 ms.

A chart takes a few ms, in many short pieces, and waits that long before each. With 25 sessions, p95 fell from 344 to
228 ms, and beside a study and probes of large models from 780 to 271 ms.
"""


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
def prepare_process() -> None:
    """Bound what the server's C library keeps, and let its threads take short turns; once."""
    bound_arenas()
    sys.setswitchinterval(_SWITCH_SECONDS)
