"""Whether real models can be built here at all, said on the page where they cannot."""

import streamlit as st

from slimlm.markdown import plain
from slimlm.packages import PSUTIL, TORCH, problem_with


def can_build(*packages: str) -> bool:
    """Return whether what a real model needs can be loaded, torch and psutil unless named; else say why in a sentence.

    It loads them, which takes a second the first time: call it once the charts are drawn.
    """
    problem = problem_with("The real model", *(packages or (TORCH, PSUTIL)))
    if problem:
        st.info(plain(f"{problem}. Everything else on this page is exact without it."), icon=":material/extension_off:")
    return problem is None
