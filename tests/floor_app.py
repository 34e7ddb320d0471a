"""A bare page to compare the app with: the same widgets, one chart of five bars, torch imported, nothing else done."""

import gc

import altair as alt
import pandas as pd
import streamlit as st
import torch  # noqa: F401  (its presence is what makes collections slow)

from slimlm import knobs


@st.cache_resource(show_spinner=False)
def freeze_imports() -> None:
    gc.collect()
    gc.freeze()


st.set_page_config(page_title="floor", layout="wide")
freeze_imports()
with st.sidebar:
    values = []
    for knob in knobs.SLIDERS:
        wide, narrow = st.columns([0.66, 0.34])
        values.append(wide.select_slider(knob.label, knob.options, value=knob.default, format_func=knob.write))
        narrow.text_input(f"{knob.label}, exact", knob.write(values[-1]), label_visibility="collapsed")
    st.number_input("Attention heads", 1, 128, 8)
    st.toggle("Tied LM head", value=True)
    with st.expander("More choices"):
        for label in ("depth", "length", "dropout", "attention dropout", "epsilon"):
            st.number_input(label, 0, 100, 1)
        st.select_slider("alignment", (1, 2, 4, 8, 16, 32, 64, 128, 256))
total, vocabulary, ratio, expansion = (float(value) for value in values)
frame = pd.DataFrame(
    {"part": list("abcde"), "value": [total / 1e6, vocabulary / 1e4, 100 * ratio, 10 * expansion, 1.0]}
)
bars = alt.Chart(frame).encode(x=alt.X("value:Q", scale=alt.Scale(domain=[0, 100])), y=alt.Y("part:N", sort=None))
labelled = bars.mark_bar() + bars.mark_text(align="left").encode(text="value:Q")
st.altair_chart(labelled.properties(title=f"{total} {vocabulary} {ratio} {expansion}"))
